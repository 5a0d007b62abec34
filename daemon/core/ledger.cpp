// SPDX-License-Identifier: Apache-2.0
#include "core/ledger.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace plimsoll {

namespace {

// A writer is done within a microsecond unless its virtual CPU is taken away in the middle. 1000 copies last
// longer than the former; in the latter case nothing is gained by waiting for it on the loop thread.
constexpr int kMaxCopies = 1000;

__u64 load(const __u64& live, std::memory_order order) {
    return std::atomic_ref<__u64>(const_cast<__u64&>(live)).load(order);
}

/// Values modulo 2^64 that are a little below zero (a later timestamp was read elsewhere) count as zero.
std::uint64_t not_below_zero(std::uint64_t value) {
    return static_cast<std::int64_t>(value) < 0 ? 0 : value;
}

void raise(std::uint64_t& exported, std::uint64_t value) {
    exported = std::max(exported, not_below_zero(value));
}

}  // namespace

template <typename Account>
Account read_account(const ledger_account& live) {
    Account copy{};
    std::array<__u64, sizeof(Account) / sizeof(__u64)> words{};
    for (int attempt = 0; attempt < kMaxCopies; attempt++) {
        const std::uint64_t ended = load(live.ended, std::memory_order_acquire);
        const auto* source = reinterpret_cast<const __u64*>(&live);
        for (std::size_t i = 0; i < words.size(); i++) {
            words[i] =
                load(source[i], std::memory_order_acquire);  // so that `begun` is read after all of them
        }
        std::memcpy(&copy, words.data(), sizeof(copy));
        if (load(live.begun, std::memory_order_relaxed) == ended) {
            return copy;
        }
    }
    copy.ended = copy.begun - 1;
    return copy;
}

template <typename Account>
Account read_slot(std::span<const ledger_account> live) {
    Account sum{};
    for (const auto& account : live) {
        add_account(sum, read_account<Account>(account));
    }
    return sum;
}

template ledger_account read_account(const ledger_account&);
template ledger_account read_slot(std::span<const ledger_account>);
template CpuAccount read_account(const ledger_account&);
template CpuAccount read_slot(std::span<const ledger_account>);

std::uint64_t count_writes(std::span<const ledger_account> live) {
    std::uint64_t sum = 0;
    for (const auto& account : live) {
        sum += load(account.begun, std::memory_order_relaxed);
    }
    return sum;
}

const LedgerValues& LedgerReading::update(const ledger_account& sums, std::uint64_t now_ns) {
    if (!is_whole(sums)) {
        return values_;  // n without its sum would be off by the time since boot, and values never go back
    }
    const auto value_of = [&](std::size_t cell) {
        return sums.cells[cell].sum_ns + sums.cells[cell].n * now_ns;
    };
    const std::uint64_t lifetime = value_of(CELL_LIFETIME);
    raise(values_.lifetime_ns, lifetime);
    std::array<std::uint64_t, CELL_STATES_END> growth{};
    std::array<std::uint64_t, STATE_COUNT> threads{};
    std::uint64_t sum = 0;
    std::uint64_t excess = 0 - values_.lifetime_ns;
    for (std::size_t cell = 0; cell < CELL_STATES_END; cell++) {
        std::uint64_t value = values_.cell_ns[cell];
        raise(value, value_of(cell));
        growth[cell] = value - values_.cell_ns[cell];
        sum += value_of(cell);
        excess += value;
        threads[state_of_cell(cell)] += sums.cells[cell].n;
    }
    std::ranges::transform(threads, values_.threads.begin(), not_below_zero);
    residual_ns_ = sum - lifetime;
    excess = not_below_zero(excess);
    values_.state_ns = {};
    for (std::size_t cell = 0; cell < CELL_STATES_END; cell++) {
        const std::uint64_t held = std::min(excess, growth[cell]);  // what another cell has too much for now
        excess -= held;
        values_.cell_ns[cell] += growth[cell] - held;
        values_.state_ns[state_of_cell(cell)] += values_.cell_ns[cell];
    }
    raise(values_.stolen_ns, sums.stolen_ns);
    values_.thread_count = not_below_zero(sums.cells[CELL_LIFETIME].n);
    values_.processes = not_below_zero(sums.processes);
    return values_;
}

std::uint64_t LedgerReading::residual_ns() const {
    return static_cast<std::int64_t>(residual_ns_) < 0 ? 0 - residual_ns_ : residual_ns_;
}

}  // namespace plimsoll
