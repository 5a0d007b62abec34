// SPDX-License-Identifier: Apache-2.0
// What becomes of slots: who has one, when it is used again, and what happens when there are too few.
#include "containers/registry.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "fake_slot_map.h"

namespace plimsoll {
namespace {

using container_test::kRoot;
using container_test::kSecond;
using container_test::RegistryFixture;
using container_test::Slots;

TEST_CASE("a cgroup that exists at the start gets a slot of its own") {
    RegistryFixture fixture;
    CHECK(fixture.registry.birth({10, kRoot, "/c1"}, fixture.now));
    CHECK(fixture.registry.birth({20, kRoot, "/c2"}, fixture.now));
    CHECK_FALSE(fixture.registry.birth({30, kRoot, "/other"}, fixture.now));
    const std::uint32_t first = fixture.kernel.slot_of(10), second = fixture.kernel.slot_of(20);
    CHECK(first >= SLOT_FIRST);
    CHECK(second >= SLOT_FIRST);
    CHECK(first != second);
    CHECK(fixture.kernel.slot_of(30) == SLOT_NONE);
    REQUIRE(fixture.find("/c1") != nullptr);
    CHECK(fixture.find("/c1")->slots == Slots{first});
    CHECK(fixture.registry.shown().size() == 2);
}

TEST_CASE("a newborn container keeps the slot that the kernel gave it") {
    RegistryFixture fixture;
    const FoundCgroup found = fixture.kernel.mkdir(10, kRoot, "/c1");
    const std::uint32_t provisional = fixture.kernel.slot_of(10);
    REQUIRE(provisional >= SLOT_FIRST);
    const int before = fixture.kernel.invalidations;
    CHECK(fixture.registry.birth(found, fixture.now));
    CHECK(fixture.kernel.slot_of(10) == provisional);
    CHECK(fixture.kernel.entries.at(10).confirmed);
    CHECK(fixture.find("/c1")->slot == provisional);
    CHECK(fixture.kernel.invalidations == before);  // no thread needs to look again
    CHECK_FALSE(fixture.registry.needs_visit());
}

TEST_CASE("a child born before its container was confirmed gives its slot's values to the container") {
    RegistryFixture fixture;
    const FoundCgroup parent = fixture.kernel.mkdir(10, kRoot, "/c1");
    const FoundCgroup child = fixture.kernel.mkdir(11, 10, "/c1/child");
    const std::uint32_t own = fixture.kernel.slot_of(11);
    REQUIRE(own != fixture.kernel.slot_of(10));
    fixture.registry.birth(parent, fixture.now);
    fixture.registry.birth(child, fixture.now);
    const Watched* container = fixture.find("/c1");
    CHECK(fixture.kernel.slot_of(11) == container->slot);
    CHECK(container->slots == Slots{container->slot, own});  // its threads count for the container at once
    CHECK(fixture.registry.needs_visit());
    fixture.pass(kSecond);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{own, container->handle}});
    CHECK(container->slots == Slots{container->slot});
}

TEST_CASE("a cgroup that is no container is released and its slot is used again") {
    RegistryFixture fixture;
    const std::size_t free = fixture.registry.free_slots();
    const FoundCgroup found = fixture.kernel.mkdir(30, kRoot, "/other");
    const std::uint32_t slot = fixture.kernel.slot_of(30);
    CHECK_FALSE(fixture.registry.birth(found, fixture.now));
    CHECK(fixture.kernel.slot_of(30) == SLOT_NONE);
    CHECK(fixture.registry.needs_visit());  // threads of it may sleep already
    CHECK(fixture.registry.free_slots() == free - 1);
    fixture.pass(kSecond);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, 0}});
    CHECK(fixture.registry.free_slots() == free);
}

TEST_CASE("a slot is not used again before the grace has passed, even without threads") {
    RegistryFixture fixture;
    fixture.make(30, kRoot, "/other");
    fixture.now += kSecond / 10;
    fixture.registry.tick(fixture.now);
    CHECK(fixture.registry.draining() == 1);
    CHECK(fixture.folds.empty());
    fixture.now += kSecond / 10;
    fixture.registry.tick(fixture.now);
    CHECK(fixture.registry.draining() == 0);
    CHECK(fixture.folds.size() == 1);
}

TEST_CASE("a slot is not used again while a thread is booked on it, however long") {
    RegistryFixture fixture;
    const std::uint32_t slot = fixture.make(10, kRoot, "/c1");
    fixture.kernel.threads[slot] = 1;
    fixture.remove(10);
    fixture.pass(10 * kSecond);
    CHECK(fixture.registry.draining() == 1);
    CHECK(std::ranges::find(fixture.kernel.stack, slot) == fixture.kernel.stack.end());
    CHECK(fixture.find("/c1")->slots == Slots{slot});  // and counts for its container meanwhile
    fixture.kernel.threads[slot] = 0;
    fixture.registry.tick(fixture.now);
    CHECK(fixture.registry.draining() == 0);
    CHECK(fixture.folds.size() == 1);
}

TEST_CASE("a slot that drains after its container has left the page is inherited by nobody") {
    RegistryFixture fixture;
    const std::uint32_t slot = fixture.make(10, kRoot, "/c1");
    fixture.kernel.threads[slot] = 1;
    fixture.remove(10);
    fixture.pass(RegistryFixture::kLinger + kSecond);
    CHECK(fixture.find("/c1") == nullptr);
    fixture.kernel.threads[slot] = 0;
    fixture.registry.tick(fixture.now);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, 0}});
}

TEST_CASE("containers beyond the maximum share the overflow slot and are counted") {
    RegistryFixture fixture(2, 8);
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    CHECK(fixture.registry.shown().size() == 2);
    const FoundCgroup third = fixture.kernel.mkdir(30, kRoot, "/c3");
    const std::uint32_t provisional = fixture.kernel.slot_of(30);
    CHECK(fixture.registry.birth(third, fixture.now));
    CHECK(fixture.make(40, kRoot, "/c4") == SLOT_OVERFLOW);
    CHECK(fixture.kernel.slot_of(30) == SLOT_OVERFLOW);
    CHECK(fixture.registry.overflowing() == 2);
    CHECK(fixture.registry.added() == 4);
    REQUIRE(fixture.registry.shown().size() == 3);
    const Watched* overflow = fixture.registry.shown().back();
    CHECK(overflow->container.name == "overflow");
    CHECK(std::ranges::find(overflow->slots, provisional) != overflow->slots.end());
    CHECK(fixture.make(31, 30, "/c3/child") == SLOT_OVERFLOW);
    CHECK(fixture.registry.overflowing() == 2);  // a child is no container
    fixture.pass(kSecond);
    CHECK(overflow->slots == Slots{SLOT_OVERFLOW});

    fixture.remove(31);
    fixture.remove(30);
    fixture.remove(40);
    CHECK(fixture.registry.overflowing() == 0);
    CHECK(fixture.registry.removed() == 2);
    CHECK(fixture.registry.shown().size() == 3);  // once used, the series stays
    fixture.pass(kSecond);
    CHECK(fixture.registry.draining() == 0);
}

TEST_CASE(
    "a container of the overflow slot gets its own when one comes free, and what is nested in it, too") {
    RegistryFixture fixture(1, 8);
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    fixture.make(21, 20, "/c2/child");
    fixture.make(30, kRoot, "/c3");
    const auto promote_all = [&] {
        fixture.registry.promote({20, kRoot, "/c2"}, fixture.now);
        fixture.registry.promote({21, 20, "/c2/child"}, fixture.now);
        fixture.registry.promote({30, kRoot, "/c3"}, fixture.now);
    };
    promote_all();
    CHECK(fixture.registry.overflowing() == 2);  // no room yet
    CHECK(fixture.kernel.slot_of(21) == SLOT_OVERFLOW);

    fixture.remove(10);
    fixture.pass(kSecond);
    const int before = fixture.kernel.invalidations;
    promote_all();
    REQUIRE(fixture.find("/c2") != nullptr);
    CHECK(fixture.kernel.slot_of(20) == fixture.find("/c2")->slot);
    CHECK(fixture.kernel.slot_of(21) == fixture.find("/c2")->slot);
    CHECK(fixture.kernel.slot_of(30) == SLOT_OVERFLOW);
    CHECK(fixture.registry.overflowing() == 1);
    CHECK(fixture.registry.added() == 3);
    CHECK(fixture.kernel.invalidations > before);  // its threads look their new slot up
    CHECK(fixture.registry.needs_visit());
    fixture.remove(20);
    CHECK(fixture.find("/c2")->ended_ns);
}

TEST_CASE("a cgroup that got the overflow slot for want of others is put right and its threads are moved") {
    RegistryFixture fixture(8, 1);
    const FoundCgroup other = fixture.kernel.mkdir(29, kRoot, "/first");  // takes the only slot on the stack
    const FoundCgroup container = fixture.kernel.mkdir(10, kRoot, "/c1");
    const FoundCgroup stranger = fixture.kernel.mkdir(30, kRoot, "/other");
    REQUIRE(fixture.kernel.slot_of(10) == SLOT_OVERFLOW);
    REQUIRE(fixture.kernel.slot_of(30) == SLOT_OVERFLOW);
    fixture.registry.birth(other, fixture.now);

    fixture.registry.visited();
    int before = fixture.kernel.invalidations;
    fixture.registry.birth(container, fixture.now);
    CHECK(fixture.find("/c1")->slot >= SLOT_FIRST);
    CHECK(fixture.kernel.slot_of(10) == fixture.find("/c1")->slot);
    CHECK(fixture.kernel.invalidations > before);
    CHECK(fixture.registry.needs_visit());

    fixture.registry.visited();
    before = fixture.kernel.invalidations;
    fixture.registry.birth(stranger, fixture.now);
    CHECK(fixture.kernel.slot_of(30) == SLOT_NONE);
    CHECK(fixture.kernel.invalidations > before);  // else its threads stay booked on the overflow slot
    CHECK(fixture.registry.needs_visit());
}

TEST_CASE("a container that only the resync finds has its threads looked up") {
    RegistryFixture fixture;
    fixture.registry.visited();
    const int before = fixture.kernel.invalidations;
    fixture.registry.birth({10, kRoot, "/c1"}, fixture.now);  // the kernel has no entry for it
    CHECK(fixture.kernel.invalidations > before);
    CHECK(fixture.registry.needs_visit());
}

TEST_CASE("a death whose birth was lost gives the slot back") {
    RegistryFixture fixture;
    const std::size_t free = fixture.registry.free_slots();
    fixture.kernel.mkdir(30, kRoot, "/other");
    const std::uint32_t slot = fixture.kernel.rmdir(30);
    REQUIRE(slot >= SLOT_FIRST);
    CHECK_FALSE(fixture.registry.death(30, slot, fixture.now));
    fixture.pass(kSecond);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, 0}});
    CHECK(fixture.registry.free_slots() == free);
}

TEST_CASE("slot numbers that nobody can have do no harm") {
    RegistryFixture fixture;
    const std::size_t free = fixture.registry.free_slots();
    for (const std::uint32_t slot : {0U, 1U, 1'000'000U, 0xffffffffU}) {
        CHECK_FALSE(fixture.registry.death(77, slot, fixture.now));
        CHECK_FALSE(fixture.registry.birth({78, kRoot, "/other", slot}, fixture.now));
        fixture.registry.birth({100 + slot, kRoot, "/c" + std::to_string(slot), slot}, fixture.now);
    }
    CHECK(fixture.registry.draining() == 0);
    CHECK(fixture.registry.free_slots() == free - 4);
}

TEST_CASE("after a thousand containers every slot is back and nothing is left behind") {
    RegistryFixture fixture(16, 8);
    fixture.registry.tick(fixture.now);
    const std::size_t free = fixture.registry.free_slots();
    for (std::uint64_t i = 0; i < 1000; i++) {
        const std::uint64_t id = 100 + 10 * i;
        fixture.make(id, kRoot, "/c" + std::to_string(i));
        fixture.make(id + 1, id, "/c" + std::to_string(i) + "/child");
        fixture.make(id + 2, kRoot, "/scope" + std::to_string(i));
        fixture.remove(id + 2);
        fixture.remove(id + 1);
        fixture.remove(id);
        fixture.pass(kSecond / 5);
    }
    CHECK(fixture.registry.overflowing() == 0);
    fixture.pass(RegistryFixture::kLinger + kSecond);
    CHECK(fixture.registry.added() == 1000);
    CHECK(fixture.registry.removed() == 1000);
    CHECK(fixture.forgotten.size() == 1000);
    CHECK(fixture.registry.free_slots() == free);
    CHECK(fixture.registry.draining() == 0);
    CHECK(fixture.registry.shown().empty());
    CHECK(fixture.registry.known_cgroups().empty());
    CHECK(fixture.kernel.entries.empty());
    CHECK(fixture.kernel.stack.size() == 8);
    Slots stack = fixture.kernel.stack;
    std::ranges::sort(stack);
    CHECK(std::ranges::adjacent_find(stack) == stack.end());
}

TEST_CASE("no two live containers ever have the same slot") {
    RegistryFixture fixture(6, 4);
    std::vector<std::uint64_t> live;
    std::uint64_t random = 29;
    for (std::uint64_t id = 100; id < 2100; id++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        if (live.size() > 7 || (random >> 40) % 3 == 0) {
            if (!live.empty()) {
                const auto victim = live.begin() + static_cast<std::ptrdiff_t>((random >> 33) % live.size());
                fixture.remove(*victim);
                live.erase(victim);
            }
        } else {
            const bool container = (random >> 50) % 2 == 0;
            fixture.make(id, kRoot, (container ? "/c" : "/other") + std::to_string(id));
            live.push_back(id);
        }
        if ((random >> 55) % 2 == 0) {
            fixture.pass(kSecond / 10);
        }
        Slots used;
        for (const auto* watched : fixture.registry.shown()) {
            used.insert(used.end(), watched->slots.begin(), watched->slots.end());
        }
        used.insert(used.end(), fixture.kernel.stack.begin(), fixture.kernel.stack.end());
        std::ranges::sort(used);
        REQUIRE(std::ranges::adjacent_find(used) == used.end());
    }
}

}  // namespace
}  // namespace plimsoll
