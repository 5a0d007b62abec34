// SPDX-License-Identifier: Apache-2.0
// The probe `traffic` where it cannot work, and what it notes of slots; tests/e2e/test_host_network.py has
// real traffic.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>

#include <catch2/catch.hpp>

#include "agent.h"
#include "child.h"
#include "containers/hierarchy_number.h"
#include "files/container_process.h"

namespace plimsoll::bpf_test {
namespace {

std::unique_ptr<Probe> traffic_probe() {
    auto probes = make_probes();
    const auto found =
        std::ranges::find_if(probes, [](const auto& probe) { return probe->name() == "traffic"; });
    REQUIRE(found != probes.end());
    return std::move(*found);
}

TEST_CASE("with containers by a v1 hierarchy, traffic in the host's network is told by a sentence only") {
    const CgroupTree tree;
    if (tree.layout().with_controller("pids") == nullptr) {
        WARN("SKIPPED: bpf: no v1 pids");
        return;
    }
    const auto types = KernelTypes::load();
    REQUIRE(types);
    const ScopeOptions options{.slots = SLOT_FIRST + 4,
                               .provisional = 1,
                               .cgroup_v2 = false,
                               .controller = "pids",
                               .hierarchy_id = hierarchy_number("pids").value()};
    const auto scope = Scope::load(options, *types);
    REQUIRE(scope);
    const Config config = default_config();
    const auto started = traffic_probe()->start({**scope, *types, tree.layout(), config});
    REQUIRE_FALSE(started);
    CHECK(started.error().message ==
          "containers are told by a v1 hierarchy here, and sockets know their cgroup of v2 only");
}

TEST_CASE("where programs cannot be attached to the root cgroup, the sentence names it") {
    const CgroupTree tree;
    Agent agent(tree);
    CgroupLayout elsewhere = tree.layout();
    elsewhere.mount = "/proc/self";
    const Config config = default_config();
    const auto started = traffic_probe()->start({*agent.scope, *agent.types, elsewhere, config});
    REQUIRE_FALSE(started);
    CHECK(started.error().message.starts_with("root cgroup /proc/self, "));
    CHECK(started.error().message.contains("attach on_received: "));
}

TEST_CASE("a slot is marked while its container has a network of its own, and not for its successor") {
    const CgroupTree tree;
    const Cgroup own = tree.make("c1"), hosts = tree.make("c2");
    Agent agent(tree);
    const Child apart(own, [](const Parent& parent) {
        parent.tell(unshare(CLONE_NEWNET) == 0 ? 1 : 2);
        return static_cast<int>(parent.wait());
    });
    const Child beside(hosts, [](const Parent& parent) {
        parent.tell(1);
        return static_cast<int>(parent.wait());
    });
    REQUIRE(apart.hear() == 1);
    REQUIRE(beside.hear() == 1);

    const auto probe = traffic_probe();
    const Config config = default_config();
    ContainerProcesses processes(ProcessFinder(tree.layout()), nullptr);
    REQUIRE(probe->start({*agent.scope, *agent.types, tree.layout(), config, nullptr, &processes}));
    const bpf_map* marks = bpf_object__find_map_by_name(probe->object(), "has_own_network");
    REQUIRE(marks != nullptr);
    const auto marked = [&](std::uint32_t slot) {
        std::uint32_t mark = 2;
        bpf_map_lookup_elem(bpf_map__fd(marks), &slot, &mark);
        return mark;
    };
    constexpr std::uint32_t kOwn = SLOT_FIRST, kHosts = SLOT_FIRST + 1;
    const std::vector<SampledContainer> containers{{.index = 0,
                                                    .handle = 7,
                                                    .slots = {&kOwn, 1},
                                                    .cgroup = own.path,
                                                    .cgroup_id = own.id,
                                                    .since_ns = 1},
                                                   {.index = 1,
                                                    .handle = 8,
                                                    .slots = {&kHosts, 1},
                                                    .cgroup = hosts.path,
                                                    .cgroup_id = hosts.id,
                                                    .since_ns = 1}};
    SECTION("seen at a tick") {
        probe->tick({2, containers, {}});
    }
    SECTION("seen at a scrape") {
        Snapshot snapshot;
        snapshot.containers.resize(containers.size());
        SampleWriter writer(snapshot);
        probe->sample({2, containers, {}}, writer);
    }
    CHECK(marked(kOwn) == 1);
    CHECK(marked(kHosts) == 0);
    probe->fold(kOwn, 0);
    CHECK(marked(kOwn) == 0);
}

}  // namespace
}  // namespace plimsoll::bpf_test
