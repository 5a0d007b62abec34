// SPDX-License-Identifier: Apache-2.0
// From slots to containers. What the kernel keeps per slot is cumulative and never reset; a container can use
// several slots in its life and a slot can serve several containers. Pure; used by the loop thread.
#pragma once

#include <linux/types.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace plimsoll {

/// Names a container from its birth to the end of its linger; never reused. 0 is nobody.
using Handle = std::uint64_t;

/// target += plus - minus, word by word, modulo 2^64. `Account` is a plain struct of __u64.
template <typename Account>
void add_words(Account& target, const Account& plus, const Account& minus = {}) {
    static_assert(std::is_trivially_copyable_v<Account> && sizeof(Account) % sizeof(__u64) == 0);
    auto* to = reinterpret_cast<__u64*>(&target);
    const auto* add = reinterpret_cast<const __u64*>(&plus);
    const auto* subtract = reinterpret_cast<const __u64*>(&minus);
    for (std::size_t i = 0; i < sizeof(Account) / sizeof(__u64); i++) {
        to[i] += add[i] - subtract[i];
    }
}

/// Whether any of its words is not 0.
template <typename Account>
bool has_words(const Account& account) {
    const std::span words(reinterpret_cast<const __u64*>(&account), sizeof(Account) / sizeof(__u64));
    return std::ranges::any_of(words, [](__u64 word) { return word != 0; });
}

/// `Account` is a plain struct of __u64, added and subtracted modulo 2^64 word by word.
template <typename Account>
class SlotSums {
  public:
    /// Reads what the kernel has for a slot, over all CPUs.
    using Reader = std::function<Account(std::uint32_t slot)>;
    explicit SlotSums(Reader read) : read_(std::move(read)) {}

    /// Everything that counts for the container now: what it inherited, and its slots since it got them.
    [[nodiscard]] Account sum(Handle container, std::span<const std::uint32_t> slots) const {
        Account result = at(inherited_, container);
        for (const auto slot : slots) {
            add_words(result, read_(slot), at(base_, slot));
        }
        return result;
    }

    /// The slot changes hands: what it gained goes to `heir` (0: to nobody), and it starts from here.
    void fold(std::uint32_t slot, Handle heir) {
        const Account raw = read_(slot);
        if (heir != 0) {
            add_words(inherited_[heir], raw, at(base_, slot));
        }
        if (has_words(raw)) {
            base_[slot] = raw;
        } else {  // as most accounts of sockets: nothing to remember
            base_.erase(slot);
        }
    }

    void forget(Handle container) { inherited_.erase(container); }

  private:
    template <typename Map, typename Key>
    static Account at(const Map& map, Key key) {
        const auto found = map.find(key);
        return found == map.end() ? Account{} : found->second;
    }

    Reader read_;
    std::unordered_map<std::uint32_t, Account> base_;
    std::unordered_map<Handle, Account> inherited_;
};

}  // namespace plimsoll
