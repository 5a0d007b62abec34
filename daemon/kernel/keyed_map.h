// SPDX-License-Identifier: Apache-2.0
// A BPF hash map of accounts, as KeyedSums reads it: its keys are a tenure and after it a `Key`. Loop thread
// only.
#pragma once

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <vector>

#include "core/keyed_sums.h"

namespace plimsoll {

/// Calls back with every key and value of a BPF hash map. What comes or goes meanwhile is told or not.
template <typename Key, typename Value, typename Callback>
void each_entry(int map_fd, Callback callback) {
    std::vector<Key> keys(256);
    std::vector<Value> values(keys.size());
    __u32 position = 0;
    void* from = nullptr;
    int error = 0;
    while (error == 0) {
        auto count = static_cast<__u32>(keys.size());
        error = bpf_map_lookup_batch(map_fd, from, &position, keys.data(), values.data(), &count, nullptr);
        if (error == -ENOSPC) {  // a bucket of the map that has more entries than there is room for
            keys.resize(keys.size() * 2);
            values.resize(keys.size());
            error = 0;
            continue;
        }
        if (error != 0 && error != -ENOENT) {
            return;
        }
        for (__u32 i = 0; i < count; i++) {
            callback(keys[i], values[i]);
        }
        from = &position;
    }
}

template <typename Value, typename Key>
std::optional<Value> look_up(int map_fd, const Key& key) {
    Value value{};
    return bpf_map_lookup_elem(map_fd, &key, &value) == 0 ? std::optional(value) : std::nullopt;
}

template <typename Key, typename Account>
class KeyedMap : public KeyedAccounts<Key, Account> {
    struct Record {
        tenure owner;
        Key key;
    };
    static_assert(sizeof(Record) == sizeof(tenure) + sizeof(Key), "no hidden padding crosses the border");

  public:
    using Entry = typename KeyedAccounts<Key, Account>::Entry;

    KeyedMap() = default;
    /// Maps of a loaded object; it outlives this.
    KeyedMap(int accounts_fd, int tenures_fd) : accounts_(accounts_fd), tenures_(tenures_fd) {}

    std::vector<Entry> read() override {
        std::vector<Entry> entries;
        each_entry<Record, Account>(accounts_, [&](const Record& record, const Account& account) {
            entries.push_back({record.owner, record.key, account});
        });
        return entries;
    }
    std::optional<Account> take(const tenure& owner, const Key& key) override {
        const Record record{owner, key};
        // The value first: kernels before 5.14 cannot do both at once, and nothing is booked in between but
        // what comes later than anybody waits for.
        const auto account = look_up<Account>(accounts_, record);
        if (account && bpf_map_delete_elem(accounts_, &record) != 0) {
            return std::nullopt;
        }
        return account;
    }
    void announce(const tenure& owner) override {
        bpf_map_update_elem(tenures_, &owner.slot, &owner.number, BPF_ANY);
    }

  private:
    int accounts_ = -1, tenures_ = -1;
};

}  // namespace plimsoll
