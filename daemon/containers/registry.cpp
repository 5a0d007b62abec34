// SPDX-License-Identifier: Apache-2.0
#include "containers/registry.h"

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "shared/ledger.h"

namespace plimsoll {

std::uint32_t Registry::slots_needed(const Limits& limits) {
    return SLOT_FIRST + limits.max_containers + limits.provisional;
}

Registry::Registry(SlotMap& slots, Limits limits, Callbacks callbacks)
    : map_(slots),
      limits_(limits),
      callbacks_(std::move(callbacks)),
      states_(slots_needed(limits), SlotState::spare) {
    states_[SLOT_NONE] = states_[SLOT_OVERFLOW] = SlotState::reserved;
    for (auto slot = static_cast<std::uint32_t>(states_.size() - 1); slot >= SLOT_FIRST; slot--) {
        reserve_.push_back(slot);
    }
    overflow_.handle = next_handle_++;
    overflow_.container.cgroup = "overflow";
    overflow_.container.name = "overflow";
    overflow_.slot = SLOT_OVERFLOW;
    overflow_.slots = {SLOT_OVERFLOW};
    overflow_.rendered = callbacks_.render(overflow_.container);
    refill();
}

bool Registry::birth(const FoundCgroup& found, std::uint64_t now_ns) {
    if (knows(found.id)) {
        return false;
    }
    const auto entry = map_.find(found.id);
    const std::uint32_t provisional = provisional_slot(found, entry);
    if (auto container = callbacks_.select(found)) {
        start(found, std::move(*container), provisional, now_ns);
        return true;
    }
    const auto parent = nodes_.find(found.parent_id);
    const Handle owner = parent == nodes_.end() ? 0 : parent->second.owner;
    std::uint32_t slot = SLOT_NONE;
    if (owner == 0) {
        map_.release(found.id);
    } else {
        slot = owner == overflow_.handle ? overflow_.slot : watched_.at(owner).slot;
        map_.assign(found.id, slot);
        nodes_.emplace(found.id, Node{owner, now_ns});
    }
    if (provisional != SLOT_NONE) {
        retire(provisional, owner, now_ns);
    } else if (slot != (entry ? entry->slot : std::uint32_t{SLOT_NONE})) {
        rebook_threads();
    }
    return owner != 0;
}

void Registry::start(const FoundCgroup& found, Container container, std::uint32_t provisional,
                     std::uint64_t now_ns) {
    replace_namesake(container.cgroup, now_ns);
    std::uint32_t slot = SLOT_OVERFLOW;
    if (live_ < limits_.max_containers) {
        slot = provisional != SLOT_NONE ? provisional : take_reserve();
        slot = slot == SLOT_NONE ? std::uint32_t{SLOT_OVERFLOW} : slot;
    }
    revision_++;
    map_.assign(found.id, slot);
    if (slot != provisional) {
        rebook_threads();  // they are on the slot of a container around it, on the overflow slot, or on none
    }
    added_++;
    if (slot == SLOT_OVERFLOW) {
        overflow_used_ = true;
        overflow_cgroups_.insert(found.id);
        nodes_.emplace(found.id, Node{overflow_.handle, now_ns});
        if (provisional != SLOT_NONE) {
            retire(provisional, overflow_.handle, now_ns);
        }
        return;
    }
    live_++;
    states_[slot] = SlotState::owned;
    Watched watched;
    watched.handle = next_handle_++;
    watched.rendered = callbacks_.render(container);
    watched.container = std::move(container);
    watched.cgroup_id = found.id;
    watched.slot = slot;
    watched.slots = {slot};
    watched.since_ns = found.born_ns != 0 ? found.born_ns : callbacks_.born(found.path).value_or(now_ns);
    watched.found_late = found.born_ns == 0;
    watched.started_unix_ns = unix_time_ns(watched.since_ns);
    nodes_.emplace(found.id, Node{watched.handle, now_ns});
    watched_.emplace(watched.handle, std::move(watched));
}

bool Registry::is_overflowing(std::uint64_t cgroup_id) const {
    const auto node = nodes_.find(cgroup_id);
    return node != nodes_.end() && node->second.owner == overflow_.handle;
}

void Registry::promote(const FoundCgroup& found, std::uint64_t now_ns) {
    if (!is_overflowing(found.id)) {
        return;
    }
    const bool container = overflow_cgroups_.contains(found.id);
    if (container ? !has_room() : is_overflowing(found.parent_id)) {
        return;
    }
    nodes_.erase(found.id);
    overflow_cgroups_.erase(found.id);
    const std::uint64_t added = added_;
    birth(found, now_ns);
    if (container && std::exchange(added_, added) == added) {
        removed_++;  // it is none any more; else it was counted once more
    }
}

bool Registry::reconsider(const FoundCgroup& found, std::uint64_t now_ns) {
    if (is_container(found.id)) {
        return false;
    }
    nodes_.erase(found.id);
    birth(found, now_ns);
    if (const auto node = nodes_.find(found.id); node != nodes_.end()) {
        bequeath(found.slot_hint, node->second.owner);
    }
    rebook_threads();  // those that nobody has watched so far have no record
    return is_container(found.id);
}

bool Registry::is_container(std::uint64_t cgroup_id) const {
    const auto node = nodes_.find(cgroup_id);
    if (node == nodes_.end()) {
        return false;
    }
    const auto watched = watched_.find(node->second.owner);
    return overflow_cgroups_.contains(cgroup_id) ||
           (watched != watched_.end() && watched->second.cgroup_id == cgroup_id);
}

/// A service that is started again has a new cgroup of the same path: two series of the same labels must not
/// meet.
void Registry::replace_namesake(const std::string& cgroup, std::uint64_t now_ns) {
    std::vector<Handle> namesakes;
    for (const auto& [handle, watched] : watched_) {
        if (watched.container.cgroup == cgroup) {
            namesakes.push_back(handle);
        }
    }
    for (const Handle handle : namesakes) {
        if (!watched_.at(handle).ended_ns) {
            end(handle, now_ns);
        }
        remove(handle);
    }
}

bool Registry::death(std::uint64_t cgroup_id, std::uint32_t slot_hint, std::uint64_t now_ns) {
    map_.release(cgroup_id);
    const auto node = nodes_.find(cgroup_id);
    if (node == nodes_.end()) {
        if (is_offered(slot_hint)) {
            retire(slot_hint, 0, now_ns);  // its birth was never heard of
        }
        return false;
    }
    const Handle owner = node->second.owner;
    nodes_.erase(node);
    const auto watched = watched_.find(owner);
    if (watched != watched_.end() && watched->second.cgroup_id == cgroup_id && !watched->second.ended_ns) {
        end(owner, now_ns);
    } else if (overflow_cgroups_.erase(cgroup_id) != 0) {
        removed_++;
    }
    return true;
}

void Registry::end(Handle handle, std::uint64_t now_ns) {
    Watched& watched = watched_.at(handle);
    revision_++;
    watched.ended_ns = now_ns;
    live_--;
    removed_++;
    retire(watched.slot, handle, now_ns);
}

/// Ends the linger of containers; at most as many linger as may live, the oldest go first.
void Registry::expire(std::uint64_t now_ns) {
    if (watched_.size() == live_) {
        return;
    }
    std::vector<std::pair<std::uint64_t, Handle>> ended;
    for (const auto& [handle, watched] : watched_) {
        if (watched.ended_ns) {
            ended.emplace_back(*watched.ended_ns, handle);
        }
    }
    std::ranges::sort(ended);
    const std::size_t surplus =
        ended.size() > limits_.max_containers ? ended.size() - limits_.max_containers : 0;
    for (std::size_t i = 0; i < ended.size(); i++) {
        if (i < surplus || now_ns - ended[i].first >= limits_.linger_ns) {
            remove(ended[i].second);
        }
    }
}

void Registry::remove(Handle handle) {
    for (auto& entry : draining_) {
        if (entry.heir == handle) {
            entry.heir = 0;
        }
    }
    revision_++;
    callbacks_.forget(handle);
    watched_.erase(handle);
    std::erase_if(nodes_, [&](const auto& node) {
        const bool ours = node.second.owner == handle;
        if (ours) {
            map_.release(node.first);  // its death was never told; the slot it leads to will be another's
        }
        return ours;
    });
}

std::vector<const Watched*> Registry::shown() const {
    std::vector<const Watched*> result;
    result.reserve(watched_.size() + 1);
    for (const auto& [handle, watched] : watched_) {
        result.push_back(&watched);
    }
    if (overflow_used_) {
        result.push_back(&overflow_);
    }
    return result;
}

std::optional<std::uint64_t> Registry::born_ns(std::uint64_t cgroup_id) const {
    const auto found = nodes_.find(cgroup_id);
    return found == nodes_.end() ? std::nullopt : std::optional(found->second.born_ns);
}

std::vector<std::uint64_t> Registry::known_cgroups() const {
    std::vector<std::uint64_t> ids;
    ids.reserve(nodes_.size());
    for (const auto& [id, node] : nodes_) {
        ids.push_back(id);
    }
    return ids;
}

void Registry::refresh(const std::function<bool(const Watched&, Container&)>& change) {
    for (auto& [handle, watched] : watched_) {
        if (!watched.ended_ns && change(watched, watched.container)) {
            revision_++;
            watched.rendered = callbacks_.render(watched.container);
        }
    }
}

std::map<Runtime, std::uint64_t> Registry::live_by_runtime() const {
    std::map<Runtime, std::uint64_t> counts;
    for (const auto& [handle, watched] : watched_) {
        if (!watched.ended_ns) {
            counts[watched.container.runtime]++;
        }
    }
    return counts;
}

}  // namespace plimsoll
