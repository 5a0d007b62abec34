// SPDX-License-Identifier: Apache-2.0
#include "core/rest_watch.h"

#include <algorithm>

#include "core/ledger.h"

namespace plimsoll {

namespace {

constexpr std::uint64_t kSettleNs = 2'000'000'000;
constexpr std::uint64_t kTurns = 8;  // looks until each container has begun a new rest
// What a thread does in these can move the kernel's figures: CPU time and its quota, shortages of CPU, memory
// and IO.
constexpr plimsoll_state kActive[] = {STATE_RUNNING, STATE_RUNNABLE, STATE_DISK,
                                      STATE_FAULT,   STATE_BLOCKED,  STATE_OTHER};

}  // namespace

bool RestWatch::is_asleep(std::span<const std::uint32_t> slots) const {
    return std::ranges::all_of(slots, [&](std::uint32_t slot) {
        const auto account = read_slot(accounts_(slot));
        return is_whole(account) &&
               std::ranges::all_of(kActive, [&](auto state) { return account.cells[state].n == 0; });
    });
}

Rest RestWatch::of(Handle container, std::span<const std::uint32_t> slots) {
    if (slots.empty()) {
        return kNoRest;
    }
    std::uint64_t writes = slots.size();
    for (const auto slot : slots) {
        writes += count_writes(accounts_(slot));
    }
    const auto [entry, is_new] = seen_.try_emplace(container, Seen{writes, now_ns_});
    Seen& seen = entry->second;
    if (seen.writes != writes) {
        seen = {writes, now_ns_};
    }
    const bool turn = (container + turn_) % kTurns == 0;
    if (now_ns_ - seen.since_ns < kSettleNs || (seen.rest != kNoRest && !turn)) {
        return seen.rest;
    }
    seen.rest = is_asleep(slots) ? ++last_ : kNoRest;
    return seen.rest;
}

}  // namespace plimsoll
