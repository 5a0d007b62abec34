// SPDX-License-Identifier: Apache-2.0
// What a tick of the smoothing costs for 1,000 containers that do nothing, and for 1,000 of which each does
// something, over accounts as the kernel keeps them; on 2 CPUs and on 64. `cold` has them out of the caches
// before every tick, as they are when the machine has been busy with something else for 100 ms. Prints
// `name value` lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "core/cpu_smoother.h"

namespace plimsoll {
namespace {

constexpr std::uint32_t kContainers = 1000;
constexpr int kRounds = 50;
constexpr std::uint64_t kTickNs = 100'000'000;
constexpr std::size_t kCacheBytes = 256U << 20U;

class Machine {
  public:
    explicit Machine(std::uint32_t cpus)
        : per_slot_(cpus + 1), accounts_(std::size_t{kContainers} * per_slot_), flood_(kCacheBytes) {
        for (std::uint32_t i = 0; i < kContainers; i++) {
            slots_.push_back(i);
        }
    }

    /// The median of several rounds, in microseconds.
    double tick_us(bool active, bool cold) {
        std::vector<double> rounds;
        for (int round = 0; round < kRounds; round++) {
            now_ns_ += kTickNs;
            if (active) {
                work();
            }
            if (cold) {
                std::ranges::fill(flood_, static_cast<char>(round));
            }
            const auto begin = std::chrono::steady_clock::now();
            tick();
            rounds.push_back(
                std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
        }
        std::ranges::nth_element(rounds, rounds.begin() + kRounds / 2);
        return rounds[kRounds / 2];
    }

  private:
    void tick() {
        const std::uint64_t now = now_ns_;
        for (std::uint32_t i = 0; i < kContainers; i++) {
            smoother_.look(i + 1, std::span(slots_).subspan(i, 1), 0);
        }
        smoother_.ticked(now);
    }

    /// One stay of 1 ms on a CPU for each.
    void work() {
        for (std::uint32_t i = 0; i < kContainers; i++) {
            ledger_account& account = accounts_[std::size_t{i} * per_slot_];
            account.begun++;
            account.cells[STATE_RUNNING].sum_ns += 1'000'000;
            account.ended++;
        }
    }

    std::uint32_t per_slot_;
    std::vector<ledger_account> accounts_;
    std::vector<char> flood_;
    std::vector<std::uint32_t> slots_;
    std::uint64_t now_ns_ = kTickNs;
    CpuSmoother smoother_{{1'000'000'000, 10'000'000'000, 60'000'000'000},
                          {.accounts =
                               [this](std::uint32_t slot) {
                                   return std::span<const ledger_account>(accounts_).subspan(
                                       std::size_t{slot} * per_slot_, per_slot_);
                               },
                           .now_ns = [this] { return now_ns_; }}};
};

void run(std::uint32_t cpus) {
    Machine machine(cpus);
    machine.tick_us(false, false);  // takes the baselines
    const double idle = machine.tick_us(false, false), idle_cold = machine.tick_us(false, true);
    const double active = machine.tick_us(true, false), active_cold = machine.tick_us(true, true);
    std::printf("smoothing_tick_us_idle_%ucpus %.1f\n", cpus, idle);
    std::printf("smoothing_tick_us_idle_cold_%ucpus %.1f\n", cpus, idle_cold);
    std::printf("smoothing_tick_us_active_%ucpus %.1f\n", cpus, active);
    std::printf("smoothing_tick_us_active_cold_%ucpus %.1f\n", cpus, active_cold);
}

}  // namespace
}  // namespace plimsoll

int main() {
    std::printf("smoothing_window_bytes %zu\n", sizeof(plimsoll::SmoothedWindow));
    plimsoll::run(2);
    plimsoll::run(64);
}
