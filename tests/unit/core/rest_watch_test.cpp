// SPDX-License-Identifier: Apache-2.0
// Rests of containers whose accounts a test writes as the kernel would.
#include "core/rest_watch.h"

#include <catch2/catch.hpp>

#include <array>
#include <set>
#include <vector>

#include "fake_account.h"

namespace plimsoll {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr Handle kWeb = 7;

/// Two CPUs' accounts of some slots, and a clock.
class Machine {
  public:
    std::vector<std::uint32_t> slots{1};
    std::uint64_t now = 5000 * kSecond;
    RestWatch rests{[this](std::uint32_t slot) {
        return std::span<const ledger_account>(&accounts_[slot * 2].value, 2);
    }};

    Account& cpu(std::uint32_t slot, std::size_t index = 0) { return accounts_[slot * 2 + index]; }
    Rest look(std::uint64_t later_ns = kSecond) {
        now += later_ns;
        rests.begin(now);
        return rests.of(kWeb, slots);
    }

  private:
    std::array<Account, 8> accounts_{};
};
static_assert(sizeof(Account) == sizeof(ledger_account));

TEST_CASE("a rest begins two seconds after the last event and ends with the next") {
    Machine machine;
    machine.cpu(1).birth(machine.now);
    machine.cpu(1).change(STATE_RUNNABLE, STATE_POLL, machine.now);
    CHECK(machine.look() == kNoRest);
    CHECK(machine.look() == kNoRest);
    const Rest rest = machine.look();
    CHECK(rest != kNoRest);
    CHECK(machine.look() == rest);
    machine.cpu(1, 1).change(STATE_POLL, STATE_RUNNING, machine.now);
    machine.cpu(1).change(STATE_RUNNING, STATE_FUTEX, machine.now);
    CHECK(machine.look() == kNoRest);
    CHECK(machine.look() == kNoRest);
    const Rest next = machine.look();
    CHECK(next != kNoRest);
    CHECK(next != rest);
}

TEST_CASE("who runs, wants to, or waits for memory or a disk is not at rest, however long") {
    for (const auto state :
         {STATE_RUNNING, STATE_RUNNABLE, STATE_DISK, STATE_FAULT, STATE_BLOCKED, STATE_OTHER}) {
        CAPTURE(state);
        Machine machine;
        machine.cpu(1).birth(machine.now);
        machine.cpu(1).change(STATE_RUNNABLE, state, machine.now);
        for (int look = 0; look < 20; look++) {
            CHECK(machine.look(10 * kSecond) == kNoRest);
        }
    }
    for (const auto state : {STATE_FUTEX, STATE_POLL, STATE_SOCKET, STATE_UNIX, STATE_PIPE, STATE_SLEEP,
                             STATE_CHILD, STATE_IO_URING, STATE_STOPPED}) {
        CAPTURE(state);
        Machine machine;
        machine.cpu(1).birth(machine.now);
        machine.cpu(1, 1).change(STATE_RUNNABLE, state, machine.now);
        machine.look();
        CHECK(machine.look(2 * kSecond) != kNoRest);
    }
}

TEST_CASE("what is being written is no rest") {
    Machine machine;
    machine.cpu(1).value.begun++;
    machine.look();
    CHECK(machine.look(2 * kSecond) == kNoRest);
}

TEST_CASE("each of a container's slots counts, and another set of them is another rest") {
    Machine machine;
    machine.slots = {1, 2};
    machine.cpu(2).birth(machine.now);
    machine.look();
    CHECK(machine.look(2 * kSecond) == kNoRest);
    machine.slots = {1};
    CHECK(machine.look() == kNoRest);
    const Rest rest = machine.look(2 * kSecond);
    CHECK(rest != kNoRest);
    machine.slots = {1, 3};
    CHECK(machine.look() == kNoRest);
    machine.slots = {};
    CHECK(machine.look(2 * kSecond) == kNoRest);
}

TEST_CASE("now and then a container that does nothing begins a new rest") {
    Machine machine;
    machine.look();
    machine.look(2 * kSecond);
    std::set<Rest> rests;
    for (int look = 0; look < 24; look++) {
        const Rest rest = machine.look();
        CHECK(rest != kNoRest);
        rests.insert(rest);
    }
    CHECK(rests.size() >= 3);
    CHECK(rests.size() <= 4);
    machine.rests.forget(kWeb);
    CHECK(machine.look() == kNoRest);
}

}  // namespace
}  // namespace plimsoll
