// SPDX-License-Identifier: Apache-2.0
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

TEST_CASE("a birth that is told twice counts once") {
    RegistryFixture fixture;
    const FoundCgroup found = fixture.kernel.mkdir(10, kRoot, "/c1");
    CHECK(fixture.registry.birth(found, fixture.now));
    CHECK_FALSE(fixture.registry.birth(found, fixture.now));
    CHECK(fixture.registry.added() == 1);
    CHECK(fixture.registry.shown().size() == 1);
}

TEST_CASE("a child of a container belongs to it") {
    RegistryFixture fixture;
    const std::uint32_t slot = fixture.make(10, kRoot, "/c1");
    CHECK(fixture.make(11, 10, "/c1/child") == slot);
    CHECK(fixture.make(12, 11, "/c1/child/grandchild") == slot);
    CHECK(fixture.registry.knows(12));
    CHECK(fixture.registry.shown().size() == 1);
    CHECK(fixture.registry.draining() == 0);
    fixture.remove(12);
    fixture.remove(11);
    CHECK_FALSE(fixture.find("/c1")->ended_ns);
    fixture.remove(10);
    CHECK(fixture.find("/c1")->ended_ns);
}

TEST_CASE("an ended container stays on the page for its linger and no longer") {
    RegistryFixture fixture;
    const std::uint32_t slot = fixture.make(10, kRoot, "/c1");
    const Handle handle = fixture.find("/c1")->handle;
    fixture.remove(10);
    CHECK(fixture.registry.removed() == 1);
    fixture.pass(RegistryFixture::kLinger - 1);
    REQUIRE(fixture.find("/c1") != nullptr);
    CHECK(fixture.find("/c1")->slots.empty());
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, handle}});  // its values are kept
    CHECK(fixture.forgotten.empty());
    fixture.pass(1);
    CHECK(fixture.find("/c1") == nullptr);
    CHECK(fixture.forgotten == std::set<Handle>{handle});
}

TEST_CASE("no more ended containers linger than may live; the oldest go first") {
    RegistryFixture fixture(3, 4);
    for (std::uint64_t id = 10; id < 15; id++) {
        fixture.make(id, kRoot, "/c" + std::to_string(id));
        fixture.pass(kSecond);
        fixture.remove(id);
        fixture.pass(kSecond);
    }
    CHECK(fixture.registry.shown().size() == 3);
    CHECK(fixture.find("/c11") == nullptr);
    CHECK(fixture.find("/c14") != nullptr);
}

TEST_CASE("a container that ends makes room for the next one") {
    RegistryFixture fixture(1, 4);
    fixture.make(10, kRoot, "/c1");
    fixture.remove(10);
    const std::uint32_t slot = fixture.make(20, kRoot, "/c2");
    CHECK(slot >= SLOT_FIRST);
    CHECK(fixture.registry.overflowing() == 0);
}

TEST_CASE("a restarted service has one series: the new one replaces the lingering one") {
    RegistryFixture fixture;
    fixture.make(10, kRoot, "/c1");
    const Handle first = fixture.find("/c1")->handle;
    fixture.remove(10);
    fixture.pass(kSecond);
    fixture.make(20, kRoot, "/c1");
    CHECK(fixture.registry.shown().size() == 1);
    CHECK(fixture.find("/c1")->handle != first);
    CHECK(fixture.forgotten == std::set<Handle>{first});
    fixture.pass(RegistryFixture::kLinger);
    CHECK(fixture.registry.shown().size() == 1);
}

TEST_CASE("a restart whose death was never told replaces the old one and forgets its cgroups") {
    RegistryFixture fixture;
    const std::uint32_t old_slot = fixture.make(10, kRoot, "/c1");
    fixture.make(11, 10, "/c1/child");
    fixture.make(20, kRoot, "/c1");
    REQUIRE(fixture.registry.shown().size() == 1);
    CHECK(fixture.find("/c1")->cgroup_id == 20);
    CHECK(fixture.registry.removed() == 1);
    CHECK_FALSE(fixture.registry.knows(10));
    CHECK_FALSE(fixture.registry.knows(11));
    // What still led to the old slot must not lead to whoever gets it next.
    CHECK(fixture.kernel.slot_of(10) == SLOT_NONE);
    CHECK(fixture.kernel.slot_of(11) == SLOT_NONE);
    fixture.pass(kSecond);
    fixture.registry.death(11, old_slot, fixture.now);
    fixture.pass(kSecond);
    CHECK(fixture.registry.draining() == 0);
    Slots free = fixture.kernel.stack;
    std::ranges::sort(free);
    CHECK(std::ranges::adjacent_find(free) == free.end());
}

TEST_CASE("a container that is gone before its birth is read keeps what it did") {
    RegistryFixture fixture;
    const FoundCgroup found = fixture.kernel.mkdir(10, kRoot, "/c1");
    const std::uint32_t slot = fixture.kernel.slot_of(10);
    const std::uint32_t slot_at_death = fixture.kernel.rmdir(10);
    CHECK(fixture.registry.birth(found, fixture.now));
    CHECK(fixture.find("/c1")->slot == slot);
    CHECK(fixture.registry.death(10, slot_at_death, fixture.now));
    CHECK(fixture.kernel.entries.empty());
    fixture.pass(kSecond);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, fixture.find("/c1")->handle}});
}

TEST_CASE("a container selected inside another is its own and the outer one keeps the rest") {
    RegistryFixture fixture;
    const std::uint32_t outer = fixture.make(10, kRoot, "/c1");
    fixture.registry.visited();
    const FoundCgroup found = fixture.kernel.mkdir(11, 10, "/c1/nested");
    CHECK(fixture.kernel.slot_of(11) == outer);
    CHECK(fixture.registry.birth(found, fixture.now));
    const Watched* nested = fixture.find("/c1/nested");
    REQUIRE(nested != nullptr);
    CHECK(nested->slot != outer);
    CHECK(fixture.kernel.slot_of(11) == nested->slot);
    CHECK(fixture.registry.needs_visit());  // its first threads are booked on the outer one's slot
    CHECK(fixture.make(12, 11, "/c1/nested/child") == nested->slot);
    fixture.remove(12);
    fixture.remove(11);
    CHECK(nested->ended_ns);
    CHECK_FALSE(fixture.find("/c1")->ended_ns);
    CHECK(fixture.find("/c1")->slots == Slots{outer});
}

TEST_CASE("labels are rendered again only for containers that changed and still live") {
    RegistryFixture fixture;
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    fixture.make(30, kRoot, "/c3");
    fixture.remove(30);
    const int before = fixture.rendered;
    fixture.registry.refresh([](const Watched&, Container& container) {
        container.name = "renamed";
        return container.cgroup != "/c2";
    });
    CHECK(fixture.rendered == before + 1);
    CHECK(*fixture.find("/c1")->rendered.labels == "renamed");
    CHECK(*fixture.find("/c2")->rendered.labels == "c2");
    CHECK(*fixture.find("/c3")->rendered.labels == "c3");
}

TEST_CASE("a container of the overflow slot that the configuration does not select any more has ended") {
    RegistryFixture fixture(1, 8);
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    fixture.remove(10);
    fixture.pass(kSecond);
    fixture.registry.promote({20, kRoot, "/renamed"}, fixture.now);
    CHECK(fixture.registry.overflowing() == 0);
    CHECK(fixture.kernel.slot_of(20) == SLOT_NONE);
    CHECK(fixture.registry.added() == 2);  // a counter never goes back
    CHECK(fixture.registry.removed() == 2);
}

TEST_CASE("live containers are counted by runtime") {
    RegistryFixture fixture;
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    CHECK(fixture.registry.live_by_runtime() == std::map<Runtime, std::uint64_t>{{Runtime::cgroup, 2}});
    fixture.remove(10);
    CHECK(fixture.registry.live_by_runtime() == std::map<Runtime, std::uint64_t>{{Runtime::cgroup, 1}});
}

}  // namespace
}  // namespace plimsoll
