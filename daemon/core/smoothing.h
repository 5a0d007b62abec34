// SPDX-License-Identifier: Apache-2.0
// A container's use of CPUs, and its threads' waiting for one, as smoothed gauges: time-decayed averages and
// sliding-window peaks of what the ledger has as cumulative time. Pure: time is passed in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace plimsoll {

/// Threads on a CPU, and threads that want one and have none: a mean over some time, or the highest one.
struct Cores {
    double usage = 0;
    double wait = 0;
};

/// Nanoseconds that threads have spent running and runnable, cumulative, modulo 2^64.
struct CpuTime {
    std::uint64_t running = 0;
    std::uint64_t runnable = 0;
};

/// One window: the average forgets with this time constant, the peak after this time.
class SmoothedWindow {
  public:
    /// The peak moves on in so many parts of the window: a tick counts as long as it ended less than a window
    /// ago, and no longer than one part more.
    static constexpr std::uint64_t kParts = 60;

    explicit SmoothedWindow(std::uint64_t window_ns)
        : window_ns_(window_ns), part_ns_((window_ns + kParts - 1) / kParts) {}

    /// `cores` were busy on average in the `length_ns` up to `end_ns`, which follow what was added before;
    /// less than none, if too much was added then. `highest` is what of it may be a peak.
    void add(Cores cores, Cores highest, std::uint64_t end_ns, std::uint64_t length_ns);
    /// Weighted by exp(-age / window); the mean of all there was while that is less than a few windows.
    [[nodiscard]] Cores average() const;
    [[nodiscard]] Cores peak() const;

  private:
    void advance(std::uint64_t part);

    std::uint64_t window_ns_, part_ns_;
    Cores sum_;          // of cores · weight
    double weight_ = 0;  // decays as the sum does, so that the two are never out of step
    std::uint64_t part_ = 0;
    std::array<Cores, kParts + 1> highest_{};  // of the ticks that ended in each part; [part % size]
};

/// A container, from the moment it is known on. Windows are allocated when it first does something.
class CpuSmoothing {
  public:
    /// An interval this short is left to the next tick: the clocks' microseconds would show as a peak.
    static constexpr std::uint64_t kShortestNs = 1'000'000;

    /// `windows_ns` must outlive it; `spent` was true at `begin_ns`.
    CpuSmoothing(std::span<const std::uint64_t> windows_ns, std::uint64_t begin_ns, CpuTime spent)
        : windows_ns_(windows_ns), begin_ns_(begin_ns), known_ns_(begin_ns), spent_(spent) {}

    /// Nothing was spent until then; the same as ticks without growth, at once.
    void rest(std::uint64_t until_ns);
    /// `spent` is what the accounts say at `now_ns`. False: too soon after what came before, nothing is
    /// taken.
    [[nodiscard]] bool tick(std::uint64_t now_ns, CpuTime spent);

    /// Whether there is anything to tell: some time has passed.
    [[nodiscard]] bool known() const { return known_ns_ != begin_ns_; }
    /// By index of the window; as of the last tick or rest.
    [[nodiscard]] Cores average(std::size_t window) const;
    [[nodiscard]] Cores peak(std::size_t window) const;

  private:
    std::span<const std::uint64_t> windows_ns_;
    std::uint64_t begin_ns_, known_ns_;
    CpuTime spent_;
    CpuTime owed_;                         // what the sums have fallen by and not grown by since
    std::vector<SmoothedWindow> windows_;  // none before the first growth
};

}  // namespace plimsoll
