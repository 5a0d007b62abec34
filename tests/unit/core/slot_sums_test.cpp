// SPDX-License-Identifier: Apache-2.0
#include "core/slot_sums.h"

#include <catch2/catch.hpp>

#include <array>
#include <limits>
#include <map>

namespace plimsoll {
namespace {

struct Account {
    __u64 events;
    __u64 bytes;
};

/// What the kernel has per slot: only ever grows.
class Kernel {
  public:
    std::map<std::uint32_t, Account> slots;
    SlotSums<Account> sums{[this](std::uint32_t slot) { return slots[slot]; }};

    void add(std::uint32_t slot, __u64 events) {
        slots[slot].events += events;
        slots[slot].bytes += 10 * events;
    }
    Account sum(Handle handle, const std::vector<std::uint32_t>& of) const { return sums.sum(handle, of); }
};

constexpr Handle kWeb = 7, kDatabase = 8;

TEST_CASE("a container's sum is what its slots gained") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.add(3, 29);
    kernel.add(4, 1000);
    CHECK(kernel.sum(kWeb, {2, 3}).events == 52);
    CHECK(kernel.sum(kWeb, {2, 3}).bytes == 520);
    CHECK(kernel.sum(kWeb, {}).events == 0);
}

TEST_CASE("what a slot gained before it is folded stays with its heir and is not counted twice") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.sums.fold(2, kWeb);
    CHECK(kernel.sum(kWeb, {}).events == 23);
    CHECK(kernel.sum(kWeb, {2}).events == 23);
    kernel.add(2, 5);
    CHECK(kernel.sum(kWeb, {2}).events == 28);
}

TEST_CASE("a slot that is used again starts at zero for its next owner") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.sums.fold(2, kWeb);
    CHECK(kernel.sum(kDatabase, {2}).events == 0);
    kernel.add(2, 29);
    CHECK(kernel.sum(kDatabase, {2}).events == 29);
    CHECK(kernel.sum(kWeb, {}).events == 23);
}

TEST_CASE("a slot folded twice gives each heir its own part only") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.sums.fold(2, kWeb);
    kernel.add(2, 29);
    kernel.sums.fold(2, kDatabase);
    kernel.add(2, 31);
    CHECK(kernel.sum(kWeb, {}).events == 23);
    CHECK(kernel.sum(kDatabase, {}).events == 29);
    CHECK(kernel.sum(99, {2}).events == 31);
}

TEST_CASE("what nobody inherits is dropped and the next owner starts at zero") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.sums.fold(2, 0);
    kernel.add(2, 3);
    CHECK(kernel.sum(kWeb, {2}).events == 3);
    CHECK(kernel.sum(0, {}).events == 0);
}

TEST_CASE("several slots fold into one container") {
    Kernel kernel;
    for (std::uint32_t slot = 2; slot < 12; slot++) {
        kernel.add(slot, slot);
        kernel.sums.fold(slot, kWeb);
    }
    CHECK(kernel.sum(kWeb, {}).events == 65);
}

TEST_CASE("sums are modulo 2^64, so an account that wrapped around keeps its difference") {
    Kernel kernel;
    kernel.slots[2].events =
        std::numeric_limits<__u64>::max() - 2;  // "-3": more leaves than enters on this CPU
    kernel.sums.fold(2, 0);
    kernel.add(2, 7);
    CHECK(kernel.slots[2].events == 4);
    CHECK(kernel.sum(kWeb, {2}).events == 7);
    kernel.slots[3].events = std::numeric_limits<__u64>::max();  // -1 here and +7 there are 6
    CHECK(kernel.sum(kWeb, {2, 3}).events == 6);
}

TEST_CASE("a forgotten container's inheritance is gone, its slots' bases are not") {
    Kernel kernel;
    kernel.add(2, 23);
    kernel.sums.fold(2, kWeb);
    kernel.sums.forget(kWeb);
    CHECK(kernel.sum(kWeb, {}).events == 0);
    CHECK(kernel.sum(kDatabase, {2}).events == 0);
}

}  // namespace
}  // namespace plimsoll
