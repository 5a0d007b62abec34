// SPDX-License-Identifier: Apache-2.0
// Tells which accounts of KeyedSums nothing has happened in for a while. Pure; used by the loop thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <utility>

namespace plimsoll {

template <typename Key, typename Account>
class IdleAccounts {
  public:
    explicit IdleAccounts(std::uint64_t idle_ns) : idle_ns_(idle_ns) {}

    /// A look at all accounts: who is not asked about until the next is forgotten.
    void begin(std::uint64_t now_ns) {
        std::erase_if(seen_, [this](const auto& entry) { return entry.second.look != look_; });
        now_ns_ = now_ns;
        look_++;
    }

    /// Whether the account has been as it is now for so long.
    bool is_idle(std::uint32_t slot, const Key& key, const Account& account) {
        Seen& seen = seen_.try_emplace({slot, key}, Seen{account, now_ns_, look_}).first->second;
        if (std::memcmp(&seen.account, &account, sizeof(account)) != 0) {
            seen = {account, now_ns_, look_};
        }
        seen.look = look_;
        return now_ns_ - seen.since_ns >= idle_ns_;
    }

  private:
    struct Seen {
        Account account;
        std::uint64_t since_ns;
        std::uint64_t look;
    };

    std::uint64_t idle_ns_;
    std::uint64_t now_ns_ = 0;
    std::uint64_t look_ = 0;
    std::map<std::pair<std::uint32_t, Key>, Seen> seen_;
};

}  // namespace plimsoll
