// SPDX-License-Identifier: Apache-2.0
// Slots, programs and maps: what the agent takes from the kernel it gives back.
#include <bpf/bpf.h>

#include <catch2/catch.hpp>

#include <cerrno>
#include <optional>
#include <set>

#include "agent.h"
#include "await.h"
#include "child.h"
#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

constexpr std::uint64_t kBeyondGrace = 1'000'000'000;

bool drains(Agent& agent) {
    return eventually([&] {
        agent.settle(kBeyondGrace);
        return agent.has_drained();
    });
}

TEST_CASE("more containers can come and go than there are slots, and each keeps what it did") {
    const CgroupTree tree;
    Agent agent(tree, {.max = 64, .provisional = 64});  // others on this machine make cgroups too
    constexpr int kRounds = 60;                         // of three slots each
    for (int round = 0; round < kRounds; round++) {
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
    CHECK(drains(agent));
    CHECK(agent.registry->added() == kRounds);
    CHECK(agent.registry->removed() == kRounds);
    CHECK(agent.registry->overflowing() == 0);
    CHECK(agent.scope->failures().at(FAILURE_provisional_slots_exhausted) == 0);
    const Reading reading = agent.read();
    REQUIRE(reading.paths.size() == kRounds);
    for (const auto& path : reading.paths) {
        const Cgroup cgroup{path, 0, {}};
        INFO(reading.states(cgroup));
        CHECK(reading.value(cgroup, "container_process_execs_total") == 2);  // its own and the one inside
        CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
        CHECK(reading.threads(cgroup) == 0);
    }
}

TEST_CASE("a slot that was used before starts at zero for its next container") {
    const CgroupTree tree;
    Agent agent(tree, {.max = 4, .provisional = 12});
    std::set<std::uint32_t> used;
    bool again = false;
    for (int round = 0; round < 200 && !again; round++) {
        const Cgroup cgroup = tree.make("c1");
        agent.settle();  // probe io attaches its hooks when there is a container
        for (int i = 0; i < 3; i++) {
            Child(cgroup, "/bin/true").wait();
        }
        Child(cgroup, [](const Parent&) {
            expect(write(make_file(0).get(), "12345", 5), 5);
            return 0;
        }).wait();
        const Reading reading =
            agent.read_until([&](const Reading& now) { return now.threads(cgroup) == 0; });
        if (const Watched* watched = agent.find(cgroup);
            watched != nullptr) {  // else somebody took all slots
            again = !used.insert(watched->slot).second;
            CHECK(reading.value(cgroup, "container_process_execs_total") == 3);
            CHECK(io_counts(reading, cgroup)["file write"] == IoCount{5, 1});
            CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
        }
        tree.remove(cgroup);
        agent.settle();
        REQUIRE(drains(agent));
    }
    CHECK(again);
}

TEST_CASE("without the ledger probe slots come back too") {
    const CgroupTree tree;
    Agent agent(tree, {.ledger = false});
    const Cgroup cgroup = tree.make("c1");
    Child(cgroup, "/bin/true").wait();
    agent.settle();
    tree.remove(cgroup);
    agent.settle();
    CHECK(drains(agent));
}

TEST_CASE("a thread that came and went while the agent started leaves nothing behind") {
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
