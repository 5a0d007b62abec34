// SPDX-License-Identifier: Apache-2.0
#include "probes/ledger_waits.h"

#include <algorithm>
#include <array>
#include <bit>

#include "kernel/skeleton.h"
#include "probes/ledger_families.h"

namespace plimsoll {

namespace {

#define PLIMSOLL_TIMED_STATE(state) STATE_##state,
constexpr std::array<std::size_t, WAIT_COUNT> kTimedStates{PLIMSOLL_TIMED_WAITS(PLIMSOLL_TIMED_STATE)};
#undef PLIMSOLL_TIMED_STATE

}  // namespace

std::uint32_t LedgerWaits::shards(std::uint32_t cpus) {
    return std::min<std::uint32_t>(std::bit_ceil(cpus), WAIT_SHARDS_MAX);
}

Result<void> LedgerWaits::open(const bpf_map* accounts, std::uint32_t shards) {
    shards_ = shards;
    return map_into(accounts_, accounts);
}

wait_account LedgerWaits::read_slot(std::uint32_t slot) const {
    wait_account sum{};
    for (const auto& account : accounts_.elements(std::size_t{slot} * shards_, shards_)) {
        add_account(sum, account);
    }
    return sum;
}

void LedgerWaits::sample(std::span<const LedgerRow> rows, SampleWriter& writer) {
    writer.family(kLedgerMetrics[LedgerFamily::waits]);
    for (const auto& row : rows) {
        const auto waited = [&](std::size_t state) { return row.values.state_ns[state] != 0; };
        if (std::ranges::none_of(kTimedStates, waited)) {
            continue;
        }
        const wait_account sums = sums_.sum(row.handle, row.slots);
        for (std::size_t wait = 0; wait < WAIT_COUNT; wait++) {
            if (waited(kTimedStates[wait])) {
                writer.histogram(row.container, kLedgerStateFragments[kTimedStates[wait]], sums.buckets[wait],
                                 sums.sum_ns[wait]);
            }
        }
    }
    accounts_.release_unread();
}

}  // namespace plimsoll
