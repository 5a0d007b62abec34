// SPDX-License-Identifier: Apache-2.0
#include "containers/connection_rules.h"

#include <catch2/catch.hpp>

#include "config/connection_address.h"
#include "fake_slot_map.h"
#include "fixture.h"

namespace plimsoll {
namespace {

using container_test::kRoot;
using container_test::kSecond;
using container_test::Slots;
using Answer = ConnectionRules::Answer;

const std::string kDocker = "/docker/" + container_test::id_of('a');
constexpr std::uint32_t kFirst = 0, kOther = 1;  // numbers of the addresses

ContainerRule rule(const std::string& address, std::optional<std::string> name = {}) {
    ContainerRule result;
    result.name = std::move(name);
    result.connects_to = address;
    return result;
}

/// Rules over a fake kernel, where a test says who connects.
struct Fixture : container_test::RegistryFixture {
    Fixture() {
        config.include = {rule("10.0.0.5:80"), rule("10.0.0.6:80", "web*")};
        config.exclude = {{"secret", {}, {}, {}, {}, {}}};
        config.cgroups = {{"/batch/*", {}}};
        config.discover = {Runtime::docker};
        restart();
        watch(kRoot, 0, "/");
    }
    void restart() {
        selector = std::make_unique<Selector>(config);
        rules = std::make_unique<ConnectionRules>(*selector);
        auto all = callbacks();
        all.select = [this](const FoundCgroup& found) { return rules->select(found); };
        own = std::make_unique<Registry>(slot_map, limits, all);
    }
    /// One that was there before, or whose birth has been told.
    void watch(std::uint64_t id, std::uint64_t parent, const std::string& path) {
        own->birth({id, parent, path}, now);
    }
    /// The kernel's half: a cgroup without a slot gets one.
    Answer connect(std::uint64_t id, std::uint32_t target = kFirst) {
        if (!slot_map.find(id) && id != kRoot) {
            slot_map.mkdir(id, 0, "");
        }
        return rules->on_connection(*own, {id, target, slot_map.slot_of(id)}, now);
    }
    [[nodiscard]] std::string shown() const {
        std::string text;
        for (const auto* watched : own->shown()) {
            text += watched->container.cgroup + " by " + watched->container.rule + "; ";
        }
        return text;
    }

    Config::Containers config;
    std::unique_ptr<Selector> selector;
    std::unique_ptr<ConnectionRules> rules;
    container_test::FakeSlotMap slot_map{4};
    std::unique_ptr<Registry> own;
};

TEST_CASE("a cgroup that connects is a container with the slot that it got for that") {
    Fixture fixture;
    fixture.watch(10, kRoot, "/a");
    fixture.watch(20, kRoot, "/b");
    CHECK(fixture.shown().empty());
    CHECK(fixture.connect(10) == Answer::considered);
    CHECK(fixture.shown() == "/a by include[0]; ");
    const auto* watched = fixture.own->shown()[0];
    CHECK(watched->container.name == "a");
    CHECK(watched->container.runtime == Runtime::cgroup);
    CHECK(watched->slots == Slots{fixture.slot_map.slot_of(10)});
    CHECK(fixture.own->needs_visit());  // its threads have no records
    CHECK(fixture.connect(10, kOther) == Answer::considered);
    CHECK(fixture.shown() == "/a by include[0]; ");
}

TEST_CASE("a cgroup whose birth was told before its connection keeps what it did in between") {
    Fixture fixture;
    const auto found = fixture.slot_map.mkdir(10, kRoot, "/a");
    fixture.own->birth(found, fixture.now);
    CHECK(fixture.slot_map.slot_of(10) == SLOT_NONE);
    fixture.rules->on_connection(*fixture.own, {10, kFirst, found.slot_hint}, fixture.now);
    const auto* watched = fixture.own->shown().at(0);
    CHECK(watched->slots == Slots{watched->slot, found.slot_hint});
    CHECK(watched->slot != found.slot_hint);
    fixture.slot_map.rmdir(10);
    fixture.own->death(10, watched->slot, fixture.now);
    fixture.own->tick(fixture.now + kSecond);
    CHECK(watched->slots.empty());
    CHECK(fixture.folds.size() == 2);
    for (const auto& fold : fixture.folds) {
        CHECK(fold.heir == watched->handle);
    }
}

TEST_CASE("whom the rules refuse loses its slot and is no container") {
    Fixture fixture;
    fixture.watch(10, kRoot, "/secret");
    fixture.watch(20, kRoot, "/b");
    const std::size_t free = fixture.own->free_slots();
    CHECK(fixture.connect(10) == Answer::considered);
    CHECK(fixture.connect(20, kOther) == Answer::considered);  // has not the name for this address
    CHECK(fixture.shown().empty());
    CHECK(fixture.slot_map.entries.empty());
    fixture.own->tick(fixture.now + kSecond);
    CHECK(fixture.own->free_slots() == free);
    CHECK(fixture.connect(20, kFirst) == Answer::considered);
    CHECK(fixture.shown() == "/b by include[0]; ");
}

TEST_CASE("a connection inside a discovered container selects that, with all that is in it") {
    Fixture fixture;
    fixture.watch(10, kRoot, "/docker");
    fixture.watch(11, 10, kDocker);
    fixture.watch(12, 11, kDocker + "/a");
    fixture.watch(13, 12, kDocker + "/a/b");
    fixture.watch(14, 11, kDocker + "/c");
    CHECK(fixture.connect(13) == Answer::considered);
    CHECK(fixture.shown() == kDocker + " by include[0]; ");
    const auto* watched = fixture.own->shown()[0];
    CHECK(watched->container.runtime == Runtime::docker);
    for (const std::uint64_t id : {11, 12, 13, 14}) {
        CHECK(fixture.slot_map.slot_of(id) == watched->slot);
    }
    CHECK(fixture.slot_map.slot_of(10) == SLOT_NONE);
    CHECK(watched->slots.size() == 2);  // the connection was booked on the slot of the cgroup inside
    fixture.own->tick(fixture.now + kSecond);
    CHECK(watched->slots == Slots{watched->slot});
    CHECK(fixture.connect(14) == Answer::considered);
    CHECK(fixture.own->shown().size() == 1);
}

TEST_CASE("a discovered container inside a container by path becomes one of its own") {
    Fixture fixture;
    fixture.config.cgroups = {{"/docker", "all"}};
    fixture.restart();
    fixture.watch(10, kRoot, "/docker");
    fixture.watch(11, 10, kDocker);
    fixture.watch(12, 11, kDocker + "/a");
    CHECK(fixture.shown() == "/docker by cgroups[0]; ");
    CHECK(fixture.connect(12) == Answer::considered);
    CHECK(fixture.shown() == "/docker by cgroups[0]; " + kDocker + " by include[0]; ");
    CHECK(fixture.slot_map.slot_of(12) == fixture.slot_map.slot_of(11));
    CHECK(fixture.slot_map.slot_of(11) != fixture.slot_map.slot_of(10));
}

TEST_CASE("what is part of a container without being one does not become one") {
    Fixture fixture;
    fixture.watch(10, kRoot, "/a");
    fixture.watch(11, 10, "/a/inner");
    fixture.watch(20, kRoot, "/batch");
    fixture.watch(21, 20, "/batch/job");
    fixture.watch(22, 21, "/batch/job/inner");
    fixture.connect(10);
    fixture.connect(11);
    fixture.connect(22);
    CHECK(fixture.shown() == "/batch/job by cgroups[0]; /a by include[0]; ");
    CHECK(fixture.slot_map.slot_of(11) == fixture.slot_map.slot_of(10));
    CHECK(fixture.own->draining() == 0);
}

TEST_CASE("the root cgroup is no container, and one that nobody knows gives its slot back") {
    Fixture fixture;
    const std::size_t free = fixture.own->free_slots();
    CHECK(fixture.connect(kRoot) == Answer::root);
    CHECK(fixture.connect(99) == Answer::unknown);
    CHECK(fixture.shown().empty());
    CHECK(fixture.slot_map.entries.empty());
    fixture.own->tick(fixture.now + kSecond);
    CHECK(fixture.own->free_slots() == free);
    fixture.watch(10, kRoot, "/a");
    fixture.rules->on_death(10);
    CHECK(fixture.connect(10) == Answer::unknown);
    fixture.watch(11, kRoot, "/b");
    fixture.connect(11);
    fixture.rules->prune([](std::uint64_t) { return false; });
    CHECK(fixture.connect(11) == Answer::unknown);
    CHECK(fixture.shown() == "/b by include[0]; ");  // what is a container stays one
    CHECK_FALSE(fixture.own->shown()[0]->ended_ns);
}

TEST_CASE("a container by its connection that found no slot gets one when there is one") {
    Fixture fixture;
    for (std::uint64_t id = 10; id < 19; id++) {
        fixture.watch(id, kRoot, "/a" + std::to_string(id));
        fixture.connect(id);
        fixture.own->tick(fixture.now);
    }
    CHECK(fixture.own->overflowing() == 1);
    fixture.slot_map.rmdir(10);
    fixture.own->death(10, 0, fixture.now);
    fixture.own->tick(fixture.now + kSecond);
    fixture.own->promote({18, kRoot, "/a18"}, fixture.now + kSecond);
    CHECK(fixture.own->overflowing() == 0);
    CHECK(fixture.slot_map.slot_of(18) >= SLOT_FIRST);
}

}  // namespace
}  // namespace plimsoll
