// SPDX-License-Identifier: Apache-2.0
// Which containers are at rest: none of their threads has run or begun to wait since they were looked at
// last, so what only their threads can move is as it was (docs/decisions/0021). Pure; used by the loop
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <utility>

#include "core/slot_sums.h"
#include "shared/ledger.h"

namespace plimsoll {

/// Names one rest of one container, for comparing: what was read in a rest holds as long as it is the same
/// one.
using Rest = std::uint64_t;
inline constexpr Rest kNoRest = 0;

class RestWatch {
  public:
    /// A slot's accounts, of all CPUs and the shared one.
    using Accounts = std::function<std::span<const ledger_account>(std::uint32_t slot)>;
    explicit RestWatch(Accounts accounts) : accounts_(std::move(accounts)) {}

    /// A look at all containers: each begins a new rest at one of some looks, so that what the ledger does
    /// not know of cannot stay unseen.
    void begin(std::uint64_t now_ns) {
        now_ns_ = now_ns;
        turn_++;
    }
    /// The rest that the container is in, kNoRest: none. It is called one after two seconds: the kernel books
    /// the end of a quota's period, and of a shortage, a while after the last thread has gone to sleep.
    Rest of(Handle container, std::span<const std::uint32_t> slots);
    void forget(Handle container) { seen_.erase(container); }

  private:
    struct Seen {
        std::uint64_t writes = 0;  // count_writes() of its slots
        std::uint64_t since_ns = 0;
        Rest rest = kNoRest;
    };

    [[nodiscard]] bool is_asleep(std::span<const std::uint32_t> slots) const;

    Accounts accounts_;
    std::unordered_map<Handle, Seen> seen_;
    std::uint64_t now_ns_ = 0, turn_ = 0;
    Rest last_ = kNoRest;
};

}  // namespace plimsoll
