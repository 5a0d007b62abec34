// SPDX-License-Identifier: Apache-2.0
// Slots, programs and maps: what the agent takes from the kernel it gives back.
#include <bpf/bpf.h>

#include <catch2/catch.hpp>

#include <cerrno>

#include "agent.h"
#include "await.h"
#include "child.h"

namespace plimsoll::bpf_test {
namespace {

constexpr std::uint64_t kBeyondGrace = 1'000'000'000;

TEST_CASE(
    "slots come back when their containers have ended, so that many more can follow than there are slots") {
    const CgroupTree tree;
    Agent agent(tree, {.provisional = 64});  // others on this machine make cgroups too
    const std::size_t free = agent.registry->free_slots();
    for (int round = 0; round < 40; round++) {
        const std::string name = std::to_string(round);
        const Cgroup container = tree.make("c" + name), inside = tree.make("c" + name + "/inside");
        const Cgroup other = tree.make("other" + name);
        for (const auto* cgroup : {&container, &inside, &other}) {
            Child(*cgroup, "/bin/true").wait();
        }
        tree.remove(inside);
        tree.remove(container);
        tree.remove(other);
        agent.settle(kBeyondGrace);
    }
    REQUIRE(eventually([&] {
        agent.settle(kBeyondGrace);
        return agent.registry->draining() == 0;
    }));
    CHECK(agent.registry->free_slots() == free);
    CHECK(agent.registry->added() == 40);
    CHECK(agent.registry->removed() == 40);
    CHECK(agent.registry->overflowing() == 0);
    CHECK(agent.scope->failures().at(FAILURE_provisional_slots_exhausted) == 0);
    const Reading reading = agent.read();
    REQUIRE(reading.paths.size() == 40);  // they linger with what they did
    for (std::size_t i = 0; i < reading.paths.size(); i++) {
        const Cgroup cgroup{reading.paths[i], 0, {}};
        CHECK(reading.value(cgroup, "container_process_execs_total") ==
              2);  // of its own and of what is inside it
        CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
    }
}

TEST_CASE("a slot that was used before starts at zero for its next container") {
    const CgroupTree tree;
    Agent agent(tree, {.provisional = 2});
    for (int round = 0; round < 5; round++) {
        const Cgroup cgroup = tree.make("c1");
        for (int i = 0; i < 3; i++) {
            Child(cgroup, "/bin/true").wait();
        }
        const Reading reading = agent.read_until(
            [&](const Reading& now) { return now.paths.size() == 1 && now.threads(cgroup) == 0; });
        CHECK(reading.value(cgroup, "container_process_execs_total") == 3);
        tree.remove(cgroup);
        REQUIRE(eventually([&] {
            agent.settle(kBeyondGrace);
            return agent.registry->draining() == 0;
        }));
    }
}

TEST_CASE("without the ledger probe slots come back too") {
    const CgroupTree tree;
    Agent agent(tree, {.ledger = false});
    const Cgroup cgroup = tree.make("c1");
    Child(cgroup, "/bin/true").wait();
    agent.settle();
    tree.remove(cgroup);
    agent.settle();
    CHECK(eventually([&] {
        agent.settle(kBeyondGrace);
        return agent.registry->draining() == 0;
    }));
}

TEST_CASE("a thread that came and went before the probes were attached leaves nothing behind") {
    const CgroupTree tree;
    std::optional<Cgroup> early;
    Agent agent(tree, {.before_probes = [&] {
                    early.emplace(tree.make("c1"));
                    Child(*early, "/bin/true").wait();
                }});
    const Reading reading = agent.read_until([&](const Reading& now) { return now.threads(*early) == 0; });
    CHECK(reading.threads(*early) == 0);
    CHECK(reading.processes(*early) == 0);
}

TEST_CASE("programs and maps are gone from the kernel when the agent is") {
    const CgroupTree tree;
    auto agent = std::make_unique<Agent>(tree);
    const auto programs = agent->program_ids();
    std::vector<std::uint32_t> maps;
    for (const auto& [name, fd] : agent->scope->maps()) {
        bpf_map_info info{};
        __u32 size = sizeof(info);
        REQUIRE(bpf_obj_get_info_by_fd(fd, &info, &size) == 0);
        maps.push_back(info.id);
    }
    CHECK(programs.size() >= 10);
    agent.reset();
    const auto gone = [](int (*open_by_id)(__u32), std::uint32_t id) {
        return eventually([&] {  // the kernel frees them a little later
            const UniqueFd fd(open_by_id(id));
            return !fd && errno == ENOENT;
        });
    };
    for (const auto id : programs) {
        CHECK(gone(bpf_prog_get_fd_by_id, id));
    }
    for (const auto id : maps) {
        CHECK(gone(bpf_map_get_fd_by_id, id));
    }
}

}  // namespace
}  // namespace plimsoll::bpf_test
