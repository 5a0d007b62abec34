// SPDX-License-Identifier: Apache-2.0
// The tree is a temporary directory: walking it works as on a cgroup file system. Finding a path by id does
// not, so what depends on that is tested with real cgroups in tests/bpf.
#include "containers/watcher.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <filesystem>

#include "fake_slot_map.h"
#include "fixture.h"

namespace plimsoll {
namespace {

using container_test::Directory;
using container_test::RegistryFixture;
constexpr std::uint64_t kSecond = container_test::kSecond;

struct WatcherFixture : RegistryFixture {
    WatcherFixture() : RegistryFixture(64, 16) {}

    Directory tree;
    Watcher watcher{registry, kernel, CgroupLayout{tree.path(), true, "", {}}};

    std::uint64_t mkdir(const std::string& path) {
        std::filesystem::create_directories(tree.path() + path);
        return id(path);
    }
    std::uint64_t id(const std::string& path) const {
        return id_of({tree.path(), true, "", {}}, path).value();
    }
    void rmdir(const std::string& path) { std::filesystem::remove_all(tree.path() + path); }
    void resync() {
        REQUIRE(watcher.begin_resync(now));
        watcher.finish_resync(now);
    }
    /// A cgroup_birth record as the kernel side fills it.
    static cgroup_event birth(const FoundCgroup& found) {
        cgroup_event event{};
        event.header.kind = EVENT_cgroup_birth;
        event.header.slot = found.slot_hint;
        event.header.cgroup_id = found.id;
        event.parent_id = found.parent_id;
        event.path_size =
            static_cast<std::uint32_t>(std::min<std::size_t>(found.path.size(), EVENT_PATH_MAX - 1));
        std::memcpy(event.path, found.path.data(), event.path_size);
        return event;
    }
    static cgroup_event death(std::uint64_t id, std::uint32_t slot) {
        cgroup_event event{};
        event.header.kind = EVENT_cgroup_death;
        event.header.slot = slot;
        event.header.cgroup_id = id;
        return event;
    }
};

TEST_CASE("seeding finds the containers that exist and gives their children to them") {
    WatcherFixture fixture;
    const auto first = fixture.mkdir("/c1");
    const auto child = fixture.mkdir("/c1/a/b");
    const auto second = fixture.mkdir("/c2");
    const auto other = fixture.mkdir("/system/c3");
    REQUIRE(fixture.watcher.seed(fixture.now));
    CHECK(fixture.registry.shown().size() == 2);
    CHECK(fixture.kernel.slot_of(child) == fixture.kernel.slot_of(first));
    CHECK(fixture.kernel.slot_of(first) != fixture.kernel.slot_of(second));
    CHECK(fixture.kernel.slot_of(other) == SLOT_NONE);
    CHECK(fixture.find("/c1")->cgroup_id == first);
}

TEST_CASE("a tree that cannot be walked is an error that names it") {
    WatcherFixture fixture;
    std::filesystem::remove_all(fixture.tree.path());
    const auto seeded = fixture.watcher.seed(fixture.now);
    REQUIRE_FALSE(seeded);
    CHECK(seeded.error().message.find(fixture.tree.path()) != std::string::npos);
    CHECK_FALSE(fixture.watcher.begin_resync(fixture.now));
}

TEST_CASE("births and deaths that the kernel tells are followed") {
    WatcherFixture fixture;
    REQUIRE(fixture.watcher.seed(fixture.now));
    const FoundCgroup found = fixture.kernel.mkdir(10, 1, "/c1");
    fixture.watcher.on_birth(WatcherFixture::birth(found), fixture.now);
    REQUIRE(fixture.find("/c1") != nullptr);
    CHECK(fixture.find("/c1")->slot == found.slot_hint);
    fixture.watcher.on_death(WatcherFixture::death(10, fixture.kernel.rmdir(10)), fixture.now);
    CHECK(fixture.find("/c1")->ended_ns);
    CHECK(fixture.watcher.corrections() == 0);
}

TEST_CASE("a path that was cut and cannot be asked for any more is taken as it is") {
    WatcherFixture fixture;
    const std::string path = "/c" + std::string(EVENT_PATH_MAX + 100, 'x');
    const FoundCgroup found = fixture.kernel.mkdir(10, 1, path);
    fixture.watcher.on_birth(WatcherFixture::birth(found), fixture.now);
    REQUIRE(fixture.registry.shown().size() == 1);
    CHECK(fixture.registry.shown()[0]->container.cgroup == path.substr(0, EVENT_PATH_MAX - 1));
}

TEST_CASE("a resync ends containers that are gone without a word, and counts that") {
    WatcherFixture fixture;
    fixture.mkdir("/c1");
    fixture.mkdir("/c2/child");
    REQUIRE(fixture.watcher.seed(fixture.now));
    fixture.pass(kSecond);
    fixture.resync();
    CHECK(fixture.watcher.corrections() == 0);
    fixture.rmdir("/c2");
    fixture.resync();
    CHECK(fixture.watcher.corrections() == 2);  // the container and its child
    CHECK(fixture.find("/c2")->ended_ns);
    CHECK_FALSE(fixture.find("/c1")->ended_ns);
}

TEST_CASE("a container born after the walk is not taken for a dead one") {
    WatcherFixture fixture;
    REQUIRE(fixture.watcher.begin_resync(fixture.now));
    fixture.now += 1;
    fixture.watcher.on_birth(WatcherFixture::birth(fixture.kernel.mkdir(10, 1, "/c1")), fixture.now);
    fixture.watcher.finish_resync(fixture.now);
    CHECK_FALSE(fixture.find("/c1")->ended_ns);
    CHECK(fixture.watcher.corrections() == 0);
}

TEST_CASE("a death told between walk and comparison is no correction") {
    WatcherFixture fixture;
    const auto id = fixture.mkdir("/c1");
    REQUIRE(fixture.watcher.seed(fixture.now));
    fixture.pass(kSecond);
    REQUIRE(fixture.watcher.begin_resync(fixture.now));
    fixture.watcher.on_death(WatcherFixture::death(id, fixture.kernel.rmdir(id)), fixture.now);
    fixture.watcher.finish_resync(fixture.now);
    CHECK(fixture.watcher.corrections() == 0);
    CHECK(fixture.registry.removed() == 1);
}

TEST_CASE("a resync of many cgroups pauses again and again, and what is told in a pause is no correction") {
    WatcherFixture fixture;
    std::vector<std::pair<std::string, std::uint64_t>> cgroups;
    for (int i = 0; i < 600; i++) {
        const std::string path = "/c" + std::to_string(1000 + i);
        cgroups.emplace_back(path, fixture.mkdir(path));
    }
    REQUIRE(fixture.watcher.seed(fixture.now));
    fixture.pass(kSecond);
    std::uint64_t pauses = 0;
    const Watcher::Pause pause = [&] {
        const auto [path, id] = cgroups[pauses++ * 50];
        fixture.rmdir(path);
        fixture.watcher.on_death(WatcherFixture::death(id, fixture.kernel.rmdir(id)), fixture.now);
    };
    REQUIRE(fixture.watcher.begin_resync(fixture.now, pause));
    fixture.watcher.finish_resync(fixture.now, pause);
    CHECK(pauses >= 6);
    CHECK(fixture.watcher.corrections() == 0);
    CHECK(fixture.registry.removed() == pauses);
}

TEST_CASE("an entry that the kernel kept for a cgroup that is gone is removed") {
    WatcherFixture fixture;
    fixture.kernel.mkdir(30, 1, "/other");  // neither birth nor death was ever heard of
    fixture.resync();
    CHECK(fixture.kernel.entries.empty());
    CHECK(fixture.watcher.corrections() == 1);
    CHECK(fixture.registry.draining() == 1);
}

TEST_CASE("the slot of a cgroup that came and went unheard is taken back by the second resync, once") {
    WatcherFixture fixture;
    const std::size_t free = fixture.registry.free_slots();
    const std::uint32_t slot = fixture.kernel.mkdir(30, 1, "/other").slot_hint;
    fixture.kernel.rmdir(30);
    fixture.resync();
    CHECK(fixture.watcher.corrections() == 0);  // its events may be on their way
    fixture.resync();
    CHECK(fixture.watcher.corrections() == 1);
    CHECK(fixture.registry.draining() == 1);
    fixture.pass(kSecond);
    CHECK(fixture.folds == std::vector<RegistryFixture::Fold>{{slot, 0}});
    CHECK(fixture.registry.free_slots() == free);
    fixture.resync();
    fixture.resync();
    CHECK(fixture.watcher.corrections() == 1);
}

TEST_CASE("slots that are in use or have come back are no suspects") {
    WatcherFixture fixture;
    fixture.pass(kSecond);
    const FoundCgroup container = fixture.kernel.mkdir(fixture.mkdir("/c1"), 1, "/c1");
    fixture.watcher.on_birth(WatcherFixture::birth(container), fixture.now);
    // More come and go than fit on the kernel's stack: slots with their old marks wait in the reserve.
    for (std::uint64_t id = 100; id < 140; id++) {
        fixture.watcher.on_birth(WatcherFixture::birth(fixture.kernel.mkdir(id, 1, "/other")), fixture.now);
        fixture.watcher.on_death(WatcherFixture::death(id, fixture.kernel.rmdir(id)), fixture.now);
        fixture.pass(kSecond);
    }
    REQUIRE(fixture.kernel.taken().size() > 1);
    for (int i = 0; i < 3; i++) {
        fixture.resync();
        fixture.pass(kSecond);
    }
    CHECK(fixture.watcher.corrections() == 0);
    CHECK(fixture.registry.draining() == 0);
}

TEST_CASE("a walk that could not see everything ends nothing") {
    WatcherFixture fixture;
    std::string deep = "/c1";
    for (int depth = 0; depth < 260; depth++) {  // the walk goes 256 levels down
        deep += "/d";
    }
    const auto id = fixture.mkdir(deep);
    REQUIRE(fixture.watcher.seed(fixture.now));
    // The kernel's event tells what the walk cannot reach.
    const auto parent = fixture.id(deep.substr(0, deep.size() - 2));
    fixture.registry.birth({id, parent, "/c1/d/nested"}, fixture.now);
    REQUIRE(fixture.find("/c1/d/nested") != nullptr);
    fixture.pass(kSecond);
    fixture.resync();
    CHECK_FALSE(fixture.find("/c1/d/nested")->ended_ns);
    CHECK(fixture.watcher.corrections() == 0);
}

}  // namespace
}  // namespace plimsoll
