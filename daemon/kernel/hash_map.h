// SPDX-License-Identifier: Apache-2.0
// A BPF map as user space sees it, entry by entry.
#pragma once

#include <bpf/bpf.h>

#include <vector>

namespace plimsoll {

template <typename Key, typename Value>
void set_in_map(int map_fd, const Key& key, const Value& value) {
    bpf_map_update_elem(map_fd, &key, &value, BPF_ANY);
}

/// Deletes the entries whose value is as said. What comes or goes meanwhile is met or not.
template <typename Key, typename Value, typename Question>
void erase_from_map(int map_fd, Question is_wanted) {
    std::vector<Key> found;
    Key key{}, next{};
    Value value{};
    const Key* from = nullptr;
    while (bpf_map_get_next_key(map_fd, from, &next) == 0) {
        if (bpf_map_lookup_elem(map_fd, &next, &value) == 0 && is_wanted(value)) {
            found.push_back(next);
        }
        key = next;
        from = &key;
    }
    for (const Key& one : found) {
        bpf_map_delete_elem(map_fd, &one);
    }
}

}  // namespace plimsoll
