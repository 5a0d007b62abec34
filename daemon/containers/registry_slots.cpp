// SPDX-License-Identifier: Apache-2.0
// The part of the registry that is about slots: taken, retired, drained, inherited, free again.
#include <algorithm>
#include <utility>

#include "containers/registry.h"
#include "shared/ledger.h"

namespace plimsoll {

namespace {

// A program that looked a slot up before it was taken away has booked its thread long before this is over.
constexpr std::uint64_t kDrainGraceNs = 200'000'000;
// The kernel may have taken slots for cgroups whose births were never heard of.
constexpr std::uint64_t kRefillNs = 1'000'000'000;

}  // namespace

std::uint32_t Registry::provisional_slot(const FoundCgroup& found,
                                         const std::optional<SlotEntry>& entry) const {
    if (entry && entry->confirmed) {
        return SLOT_NONE;
    }
    const std::uint32_t slot = entry ? entry->slot : found.slot_hint;
    return is_offered(slot) ? slot : std::uint32_t{SLOT_NONE};
}

std::uint32_t Registry::take_reserve() {
    if (reserve_.empty()) {
        return SLOT_NONE;
    }
    const std::uint32_t slot = reserve_.back();
    reserve_.pop_back();
    return slot;
}

/// A slot that drains for nobody, because its cgroup was no container when it was heard of.
void Registry::bequeath(std::uint32_t slot, Handle heir) {
    const auto orphan = std::ranges::find_if(
        draining_, [&](const Draining& entry) { return entry.slot == slot && entry.heir == 0; });
    if (orphan == draining_.end()) {
        return;
    }
    revision_++;
    orphan->heir = heir;
    if (Watched* watched = find_shown(heir)) {
        watched->slots.push_back(slot);
    }
}

/// Takes a slot out of use. Its values go on counting for the heir until they are folded into it.
void Registry::retire(std::uint32_t slot, Handle heir, std::uint64_t now_ns) {
    revision_++;
    states_[slot] = SlotState::draining;
    draining_.push_back({slot, heir, now_ns});
    rebook_threads();
    Watched* watched = find_shown(heir);
    if (watched != nullptr && std::ranges::find(watched->slots, slot) == watched->slots.end()) {
        watched->slots.push_back(slot);
    }
}

/// Of a container or the overflow; null for nobody.
Watched* Registry::find_shown(Handle handle) {
    const auto found = watched_.find(handle);
    return handle == overflow_.handle ? &overflow_ : found != watched_.end() ? &found->second : nullptr;
}

/// Threads that are awake find their new slot themselves; those asleep have to be visited.
void Registry::rebook_threads() {
    map_.invalidate();
    needs_visit_ = true;
}

void Registry::tick(std::uint64_t now_ns) {
    std::vector<Draining> still;
    for (const auto& entry : std::exchange(draining_, {})) {
        if (now_ns - entry.since_ns < kDrainGraceNs || map_.threads_in(entry.slot) != 0) {
            still.push_back(entry);
        } else {
            recycle(entry);
        }
    }
    draining_ = std::move(still);
    expire(now_ns);
    if (refilled_revision_ != revision_ || now_ns - refilled_ns_ >= kRefillNs) {
        refill();
        refilled_revision_ = revision_;
        refilled_ns_ = now_ns;
    }
}

void Registry::recycle(const Draining& drained) {
    revision_++;
    callbacks_.fold(drained.slot, drained.heir);
    if (Watched* heir = find_shown(drained.heir)) {
        std::erase(heir->slots, drained.slot);
    }
    states_[drained.slot] = SlotState::spare;
    reserve_.insert(reserve_.begin(), drained.slot);  // the longest unused slot is taken first
}

void Registry::refill() {
    while (!reserve_.empty() && map_.offer_free(reserve_.back())) {
        states_[reserve_.back()] = SlotState::offered;
        reserve_.pop_back();
    }
}

std::size_t Registry::free_slots() const {
    return static_cast<std::size_t>(std::ranges::count(states_, SlotState::spare) +
                                    std::ranges::count(states_, SlotState::offered));
}

}  // namespace plimsoll
