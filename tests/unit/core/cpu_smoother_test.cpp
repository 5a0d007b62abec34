// SPDX-License-Identifier: Apache-2.0
// The tick over accounts that a test writes as the kernel would.
#include "core/cpu_smoother.h"

#include <catch2/catch.hpp>

#include <array>
#include <cmath>
#include <map>

#include "fake_account.h"

namespace plimsoll {
namespace {

constexpr std::uint64_t kMs = 1'000'000, kSecond = 1000 * kMs;
constexpr std::uint64_t kTick = 100 * kMs;
constexpr Handle kWeb = 7, kDatabase = 8;

/// Two CPUs' accounts of some slots, the containers that own them, and a fake clock.
class Machine {
  public:
    struct Owner {
        std::vector<std::uint32_t> slots;
        std::uint64_t since_ns;
    };

    std::uint64_t now = 5000 * kSecond;
    std::map<Handle, Owner> containers;
    int asked = 0;                    // for the time, before and after each reading of a container
    std::function<void()> meanwhile;  // what happens once, between the time and the accounts
    CpuSmoother smoother{{1 * kSecond, 60 * kSecond},
                         {.accounts = [this](std::uint32_t slot) { return accounts(slot); },
                          .now_ns =
                              [this] {
                                  asked++;
                                  const std::uint64_t then = now;
                                  if (meanwhile) {
                                      std::exchange(meanwhile, {})();
                                  }
                                  return then;
                              }}};

    Account& cpu(std::uint32_t slot, std::size_t index = 0) { return accounts_[slot * kPerSlot + index]; }
    void look(Handle container) {
        smoother.look(container, containers.at(container).slots, containers.at(container).since_ns);
    }
    void tick() {
        for (const auto& [handle, owner] : containers) {
            look(handle);
        }
        smoother.ticked(now);
    }
    void ticks(int count) {
        for (int i = 0; i < count; i++) {
            now += kTick;
            tick();
        }
    }
    [[nodiscard]] Cores average(Handle container) {
        const CpuSmoothing* smoothing = smoother.find(container);
        REQUIRE(smoothing != nullptr);
        return smoothing->average(0);
    }
    [[nodiscard]] Cores peak(Handle container) {
        const CpuSmoothing* smoothing = smoother.find(container);
        REQUIRE(smoothing != nullptr);
        return smoothing->peak(1);
    }

  private:
    static constexpr std::size_t kPerSlot = 3;

    std::span<const ledger_account> accounts(std::uint32_t slot) {
        static_assert(sizeof(Account) == sizeof(ledger_account));
        return {&accounts_[slot * kPerSlot].value, kPerSlot};
    }
    std::array<Account, 8 * kPerSlot> accounts_;
};

TEST_CASE("a thread that never yields its CPU is seen on every tick") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2, 1).enter(STATE_RUNNING, machine.now - 100 * kSecond);
    machine.tick();
    for (int i = 0; i < 30; i++) {
        machine.ticks(1);
        CHECK(machine.average(kWeb).usage == 1);
        CHECK(machine.average(kWeb).wait == 0);
    }
}

TEST_CASE("threads that run and threads that wait for a CPU are told apart, over all CPUs") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.tick();
    machine.cpu(2, 0).enter(STATE_RUNNING, machine.now);
    machine.cpu(2, 1).enter(STATE_RUNNING, machine.now);
    machine.cpu(2, 2).enter(STATE_RUNNABLE, machine.now);
    machine.cpu(2, 2).enter(STATE_POLL, machine.now);
    machine.ticks(3);
    CHECK(machine.average(kWeb).usage == 2);
    CHECK(machine.average(kWeb).wait == 1);
    CHECK(machine.peak(kWeb).usage == 2);
    CHECK(machine.peak(kWeb).wait == 1);
}

TEST_CASE("who is off the CPU between the time and the accounts takes nothing for more than it was") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.tick();
    for (int i = 0; i < 5; i++) {
        machine.meanwhile = [&] {  // it gives way to another
            machine.now += 60 * kMs;
            machine.cpu(2).change(STATE_RUNNING, STATE_RUNNABLE, machine.now);
        };
        machine.ticks(1);
        CHECK(machine.peak(kWeb).usage <= 1);
        machine.cpu(2).change(STATE_RUNNABLE, STATE_RUNNING, machine.now);
    }
    CHECK(machine.average(kWeb).wait == 0);
    CHECK(machine.average(kWeb).usage == Approx(1).epsilon(1e-9));
}

TEST_CASE("who does nothing is not read, and its zeros are there when they are asked for") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2).enter(STATE_SLEEP, machine.now - kSecond);
    machine.ticks(2);
    const int asked = machine.asked;
    machine.ticks(1000);
    CHECK(machine.asked == asked);
    CHECK(machine.average(kWeb).usage == 0);
    CHECK(machine.peak(kWeb).usage == 0);
    CHECK(machine.asked == asked);
}

TEST_CASE("what a container does after a rest belongs to the last tick only") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.ticks(51);
    machine.now += 40 * kMs;
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.now += 30 * kMs;
    machine.cpu(2).leave(STATE_RUNNING, machine.now);
    machine.now += 30 * kMs;
    machine.tick();
    CHECK(machine.peak(kWeb).usage == Approx(0.3).epsilon(1e-12));
    CHECK(machine.average(kWeb).usage == Approx(0.3 * std::expm1(-0.1) / std::expm1(-5.1)).epsilon(1e-9));
    machine.ticks(20);
    CHECK(machine.average(kWeb).usage ==
          Approx(0.3 * std::exp(-2) * std::expm1(-0.1) / std::expm1(-7.1)).epsilon(1e-9));
}

TEST_CASE("a container that starts between two ticks counts from its birth") {
    Machine machine;
    machine.ticks(10);
    machine.now += 70 * kMs;
    machine.containers[kWeb] = {{3}, machine.now};
    machine.cpu(3).enter(STATE_RUNNING, machine.now);
    machine.now += 30 * kMs;
    machine.tick();
    CHECK(machine.average(kWeb).usage == 1);
    CHECK(machine.peak(kWeb).usage == 1);
}

TEST_CASE("a scrape before a container's first tick has its values, and the tick goes on from there") {
    Machine machine;
    machine.ticks(10);
    machine.now += 30 * kMs;
    machine.containers[kWeb] = {{3}, machine.now};
    machine.cpu(3).enter(STATE_RUNNING, machine.now);
    CHECK(machine.smoother.find(kWeb) == nullptr);
    machine.now += 20 * kMs;
    machine.look(kWeb);
    CHECK(machine.average(kWeb).usage == 1);
    machine.cpu(3).leave(STATE_RUNNING, machine.now);
    machine.now += 50 * kMs;
    machine.tick();
    CHECK(machine.average(kWeb).usage ==
          Approx((std::exp(-0.05) - std::exp(-0.07)) / (1 - std::exp(-0.07))).epsilon(1e-9));
}

TEST_CASE("a container that is older than the last tick counts from when it is met") {
    Machine machine;
    machine.ticks(10);
    machine.containers[kWeb] = {{2}, machine.now - 5 * kMs};
    machine.cpu(2).enter(STATE_RUNNING, machine.now - 3000 * kSecond);
    machine.ticks(1);
    CHECK(machine.smoother.find(kWeb) == nullptr);
    machine.ticks(1);
    CHECK(machine.average(kWeb).usage == 1);
    CHECK(machine.peak(kWeb).usage == 1);
}

TEST_CASE("slots that drain and are folded make no spike, nor does their next owner inherit anything") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.cpu(3).birth(kSecond);
    machine.cpu(3).change(STATE_RUNNABLE, STATE_RUNNING, 2 * kSecond);
    machine.cpu(3).death(STATE_RUNNING, 99 * kSecond);  // nobody's: a slot starts from where it was folded
    machine.smoother.fold(3, 0);
    machine.tick();
    machine.ticks(20);
    machine.cpu(3).enter(STATE_RUNNING,
                         machine.now + 60 * kMs);  // a newborn cgroup turns out to be part of it:
    machine.containers[kWeb].slots = {2, 3};       // its slot drains towards the container
    machine.ticks(1);
    CHECK(machine.peak(kWeb).usage == Approx(1.4).epsilon(1e-9));
    machine.ticks(5);
    CHECK(machine.peak(kWeb).usage == Approx(2).epsilon(1e-9));
    machine.cpu(3).leave(STATE_RUNNING, machine.now);
    machine.ticks(5);
    machine.smoother.fold(3, kWeb);
    machine.containers[kWeb].slots = {2};
    machine.ticks(5);
    CHECK(machine.peak(kWeb).usage == Approx(2).epsilon(1e-9));
    machine.containers[kDatabase] = {{3}, machine.now + 1};
    machine.ticks(1);
    CHECK(machine.peak(kDatabase).usage == 0);
    CHECK(machine.peak(kWeb).usage == Approx(2).epsilon(1e-9));
}

TEST_CASE("a fold does not hide what happens in the same tick") {
    Machine machine;
    machine.containers[kWeb] = {{2, 3}, 0};
    machine.cpu(3).enter(STATE_RUNNING, machine.now);
    machine.ticks(2);
    machine.cpu(3).leave(STATE_RUNNING, machine.now);
    machine.ticks(60);
    const int asked = machine.asked;
    machine.smoother.fold(3, kWeb);  // two writes less in the sum of the marks, …
    machine.containers[kWeb].slots = {2};
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.cpu(2).leave(STATE_RUNNING, machine.now + 50 * kMs);  // … and two more
    machine.ticks(1);
    CHECK(machine.asked == asked + 2);
    const double kept = std::exp(-0.1);  // the first of 62 ticks was full, the last one half
    CHECK(machine.average(kWeb).usage ==
          Approx((std::exp(-6.1) * (1 - kept) + 0.5 * (1 - kept)) / -std::expm1(-6.2)).epsilon(1e-9));
    machine.ticks(3);
    CHECK(machine.asked == asked + 2);
    CHECK(machine.peak(kWeb).usage == 1);
}

TEST_CASE("an account that is being written is left to the next tick, which counts by its length") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.ticks(5);
    machine.cpu(2).value.begun++;
    machine.cpu(2).value.cells[STATE_RUNNING].n -= 1;
    machine.ticks(1);
    CHECK(machine.average(kWeb).usage == 1);
    machine.cpu(2).value.cells[STATE_RUNNING].sum_ns += machine.now;
    machine.cpu(2).value.ended++;
    machine.ticks(1);
    CHECK(machine.peak(kWeb).usage == 1);
    CHECK(machine.average(kWeb).usage ==
          Approx((std::exp(-0.2) + 0.5 * (1 - std::exp(-0.2)) - std::exp(-0.6)) / (1 - std::exp(-0.6)))
              .epsilon(1e-9));
}

TEST_CASE("forgetting a container begins it anew") {
    Machine machine;
    machine.containers[kWeb] = {{2}, 0};
    machine.cpu(2).enter(STATE_RUNNING, machine.now);
    machine.ticks(5);
    machine.smoother.forget(kWeb);
    CHECK(machine.smoother.find(kWeb) == nullptr);
    machine.smoother.forget(kDatabase);
    machine.smoother.fold(2, kDatabase);
}

}  // namespace
}  // namespace plimsoll
