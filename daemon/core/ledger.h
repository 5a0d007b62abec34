// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic: pure, no kernel calls. An account's value at any moment is Σ sum + (Σ n) · now,
// modulo 2^64; lifetime is kept the same way from births and deaths only, so that comparing the two is a real
// check.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "shared/ledger.h"

namespace plimsoll {

/// The values of label `state`, in the order of enum plimsoll_state.
inline constexpr std::array<std::string_view, STATE_COUNT> kStateNames{
    "running", "runnable", "disk",     "futex", "poll",    "socket",  "unix", "pipe",
    "sleep",   "child",    "io_uring", "fault", "blocked", "stopped", "other"};

/// The state that a cell is a kind of.
constexpr std::size_t state_of_cell(std::size_t cell) {
    switch (cell) {
        case CELL_SOCKET_TCP_CLIENT:
        case CELL_SOCKET_TCP_SERVER:
        case CELL_SOCKET_UDP:
            return STATE_SOCKET;
        case CELL_UNIX_WRITE:
            return STATE_UNIX;
        case CELL_PIPE_WRITE:
            return STATE_PIPE;
        default:
            return cell;
    }
}

/// How an account begins: what the smoothing reads at every tick, one cache line of each account.
struct CpuAccount {
    __u64 begun, ended;
    ledger_cell running, runnable;
};
static_assert(offsetof(ledger_account, cells[STATE_RUNNING]) == offsetof(CpuAccount, running) &&
              offsetof(ledger_account, cells[STATE_RUNNABLE]) == offsetof(CpuAccount, runnable));

/// A copy of an account that the kernel may be writing: taken again until no write happened meanwhile, but
/// not for ever: see is_whole(). `Account`: ledger_account, or CpuAccount for its beginning.
template <typename Account = ledger_account>
Account read_account(const ledger_account& live);

/// target += source, every field, modulo 2^64, the marks `begun` and `ended` too.
template <typename Account>
void add_account(Account& target, const Account& source) {
    auto* to = reinterpret_cast<__u64*>(&target);
    const auto* from = reinterpret_cast<const __u64*>(&source);
    for (std::size_t i = 0; i < sizeof(Account) / sizeof(__u64); i++) {
        to[i] += from[i];
    }
}

/// The accounts of one slot added up: all CPUs' and the one that process context shares.
template <typename Account = ledger_account>
Account read_slot(std::span<const ledger_account> live);

/// The marks `begun` of a slot's accounts, added up: unchanged means that nothing has happened in it since.
std::uint64_t count_writes(std::span<const ledger_account> live);

/// Whether nothing was being written when the copy, or any copy in the sum, was taken: the marks are equal.
template <typename Account>
bool is_whole(const Account& copy) {
    return copy.begun == copy.ended;
}

/// A container's account at one moment, as exported.
struct LedgerValues {
    std::array<std::uint64_t, CELL_STATES_END> cell_ns{};
    std::array<std::uint64_t, STATE_COUNT> state_ns{};  ///< the sums of their cells
    std::array<std::uint64_t, STATE_COUNT> threads{};
    std::uint64_t lifetime_ns = 0;
    std::uint64_t stolen_ns = 0;
    std::uint64_t thread_count = 0;
    std::uint64_t processes = 0;
};

/// Turns sums into values that never go back and add up to the lifetime. CPUs are read one after another, so
/// a reading can run a few microseconds ahead in one state and behind in another, and a switch that the hook
/// did not see is booked when the thread leaves its CPU: what one state had too much, the others wait for.
class LedgerReading {
  public:
    /// `sums`: the container's accounts added up; `now_ns`: the ledger's time, taken before they were read.
    /// Sums that are not whole leave the values as they are.
    const LedgerValues& update(const ledger_account& sums, std::uint64_t now_ns);
    /// |lifetime - Σ states| of the sums last read, before anything is held back.
    [[nodiscard]] std::uint64_t residual_ns() const;

  private:
    LedgerValues values_;
    std::uint64_t residual_ns_ = 0;  // modulo 2^64
};

}  // namespace plimsoll
