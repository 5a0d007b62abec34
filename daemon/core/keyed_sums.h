// SPDX-License-Identifier: Apache-2.0
// From slots to containers, for accounts whose set depends on what happens: by device, by peer. The kernel
// keeps them in a map whose key begins with the tenure of the slot (bpf/shared/tenure.h), cumulative and
// never reset. Where SlotSums remembers what a slot had when it changed hands, here the slot gets a new
// tenure: what was booked in the old one goes to the heir and leaves the map. Pure; used by the loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/slot_sums.h"
#include "shared/tenure.h"

namespace plimsoll {

/// The kernel's side of it. `Key`: what the kernel's key has beside the tenure, ordered. `Account`: a plain
/// struct of __u64.
template <typename Key, typename Account>
class KeyedAccounts {
  public:
    struct Entry {
        tenure owner;
        Key key;
        Account account;
    };
    virtual ~KeyedAccounts() = default;
    /// Everything there is now.
    virtual std::vector<Entry> read() = 0;
    /// Removes an entry and returns what it had at last; nothing when it is not there.
    virtual std::optional<Account> take(const tenure& owner, const Key& key) = 0;
    /// From now on the slot is in this tenure.
    virtual void announce(const tenure& owner) = 0;
};

template <typename Key, typename Account>
class KeyedSums {
  public:
    using Source = KeyedAccounts<Key, Account>;
    using Accounts = std::map<Key, Account>;
    explicit KeyedSums(Source& source) : source_(source) {}

    /// Reads what the kernel has now; call it before sum(), once for all containers. What is booked in a past
    /// tenure later than the next update() is nobody's.
    void update() {
        settle();
        former_heirs_ = std::exchange(heirs_, {});
    }

    /// Everything that counts for the container: what it inherited, and its slots since it got them.
    [[nodiscard]] Accounts sum(Handle container, std::span<const std::uint32_t> slots) const {
        const auto inherited = inherited_.find(container);
        Accounts result = inherited == inherited_.end() ? Accounts{} : inherited->second;
        for (const auto slot : slots) {
            if (const auto found = current_.find(slot); found != current_.end()) {
                for (const auto& [key, account] : found->second) {
                    add_words(result[key], account);
                }
            }
        }
        return result;
    }

    /// What counts for the container under one key.
    [[nodiscard]] std::optional<Account> sum(Handle container, std::span<const std::uint32_t> slots,
                                             const Key& key) const {
        std::optional<Account> result;
        const auto add = [&](const Accounts& accounts) {
            if (const auto found = accounts.find(key); found != accounts.end()) {
                add_words(result ? *result : result.emplace(), found->second);
            }
        };
        if (const auto inherited = inherited_.find(container); inherited != inherited_.end()) {
            add(inherited->second);
        }
        for (const auto slot : slots) {
            add(current(slot));
        }
        return result;
    }

    /// What the slot's present tenure has, as of the last update().
    [[nodiscard]] const Accounts& current(std::uint32_t slot) const {
        static const Accounts kNothing;
        const auto found = current_.find(slot);
        return found == current_.end() ? kNothing : found->second;
    }

    /// The slot changes hands: what it gained goes to `heir` (0: to nobody), and its next holder starts with
    /// nothing. The heir has it from the next update() on.
    void fold(std::uint32_t slot, Handle heir) {
        current_.erase(slot);
        std::uint32_t& number = numbers_[slot];
        if (heir != 0) {
            heirs_.emplace(std::pair{slot, number}, heir);
        }
        source_.announce({slot, ++number});
        if (++unsettled_ >= kMaxUnsettled) {
            settle();
        }
    }

    void forget(Handle container) {
        inherited_.erase(container);
        const auto is_his = [&](const auto& tenure) { return tenure.second == container; };
        std::erase_if(heirs_, is_his);
        std::erase_if(former_heirs_, is_his);
    }

    /// Nothing counts for anybody.
    [[nodiscard]] bool empty() const { return current_.empty() && inherited_.empty(); }

    /// Forgets, and removes from the map, everything whose key is of something that is gone for good, like an
    /// interface: what comes and goes must not fill the map. Call it after update().
    template <typename Question>
    void drop(Question is_gone) {
        for (auto& [slot, accounts] : current_) {
            const tenure owner{slot, numbers_[slot]};
            std::erase_if(accounts, [&](const auto& entry) {
                return is_gone(entry.first) && source_.take(owner, entry.first);
            });
        }
        for (auto& [container, accounts] : inherited_) {
            std::erase_if(accounts, [&](const auto& entry) { return is_gone(entry.first); });
        }
    }

    struct Place {
        std::uint32_t slot;
        Key key;
    };
    /// Removes from the map the accounts of present tenures that the question (slot, key, account) says yes
    /// to: nothing happens in them. Here they count, with what they had at last, until leave(). Call it after
    /// update().
    template <typename Question>
    std::vector<Place> give_back(Question is_idle) {
        std::vector<Place> places;
        for (auto& [slot, accounts] : current_) {
            for (auto& [key, account] : accounts) {
                if (!is_idle(slot, key, account)) {
                    continue;
                }
                if (const auto last = source_.take({slot, numbers_[slot]}, key)) {
                    account = *last;
                    places.push_back({slot, key});
                }
            }
        }
        return places;
    }

    /// What was given back counts for nobody from now on; met again, it begins with nothing.
    void leave(std::span<const Place> places) {
        for (const Place& place : places) {
            current_[place.slot].erase(place.key);
        }
    }

    /// Whether a slot is still in this tenure.
    [[nodiscard]] bool is_current(const tenure& owner) const {
        const auto found = numbers_.find(owner.slot);
        return owner.number == (found == numbers_.end() ? 0 : found->second);
    }

  private:
    using Heirs = std::map<std::pair<std::uint32_t, std::uint32_t>, Handle>;  // by slot and number

    /// How many slots may change hands before the map is rid of what they leave, with or without a scrape.
    static constexpr std::size_t kMaxUnsettled = 256;

    void settle() {
        current_.clear();
        unsettled_ = 0;
        for (const auto& entry : source_.read()) {
            if (is_current(entry.owner)) {
                current_[entry.owner.slot].emplace(entry.key, entry.account);
            } else if (const auto last = source_.take(entry.owner, entry.key)) {
                bequeath(entry.owner, entry.key, *last);
            }
        }
    }

    void bequeath(const tenure& owner, const Key& key, const Account& account) {
        for (const Heirs* heirs : {&heirs_, &former_heirs_}) {
            if (const auto found = heirs->find({owner.slot, owner.number}); found != heirs->end()) {
                add_words(inherited_[found->second][key], account);
            }
        }
    }

    Source& source_;
    std::unordered_map<std::uint32_t, Accounts> current_;       // by slot
    std::unordered_map<std::uint32_t, std::uint32_t> numbers_;  // of present tenures, by slot
    Heirs heirs_, former_heirs_;                                // of tenures that ended since the last
                                                                // update(), and before
    std::unordered_map<Handle, Accounts> inherited_;
    std::size_t unsettled_ = 0;
};

}  // namespace plimsoll
