// SPDX-License-Identifier: Apache-2.0
// The kernel's accounts of peers (bpf/shared/peer.h) as KeyedSums reads them. Accounts are few: one that is
// taken away is free for another peer as soon as no program can be using it any more. Loop thread only.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "core/keyed_sums.h"
#include "kernel/mapped_array.h"
#include "kernel/scope.h"
#include "shared/peer.h"

inline bool operator<(const peer_key& a, const peer_key& b) {
    return std::memcmp(&a, &b, sizeof(a)) < 0;
}

namespace plimsoll {

class PeerTable : public KeyedAccounts<peer_key, peer_sums> {
  public:
    PeerTable() = default;
    static Result<PeerTable> open(const Scope& scope);

    std::vector<Entry> read() override;
    std::optional<peer_sums> take(const tenure& owner, const peer_key& key) override;
    void announce(const tenure& owner) override;

    /// The end of a sample: see MappedArray.
    void release_unread() { accounts_.release_unread(); }
    /// What has no account of its own of the slot, and what is nobody's.
    [[nodiscard]] peer_sums rest(std::uint32_t slot) const;
    [[nodiscard]] peer_sums nobody(std::uint32_t slot) const;
    /// Of a peer that the last read() told of, empty for kinds that have none; nullopt: it could not be read.
    [[nodiscard]] std::optional<peer_name> name(const peer_key& key) const;

  private:
    struct Cooling {
        std::uint32_t index;
        std::uint64_t since_ns;
    };

    [[nodiscard]] std::optional<std::uint32_t> index_of(const peer_owner& owner) const;
    [[nodiscard]] peer_sums sums(std::uint32_t index) const;
    void give_back(const peer_owner& owner, std::uint32_t index);
    void settle();

    int peers_ = -1, names_ = -1, free_ = -1, tenures_ = -1;
    std::uint32_t slots_ = 0;
    MappedArray<peer_account> accounts_;
    std::vector<Cooling> cooling_;  // given back; programs may still be using them
    std::map<peer_key, peer_name> known_names_;
};

}  // namespace plimsoll
