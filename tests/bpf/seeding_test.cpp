// SPDX-License-Identifier: Apache-2.0
// What exists before the agent starts: cgroups, threads, and what those threads are blocked on.
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <array>
#include <csignal>

#include "agent.h"
#include "await.h"
#include "child.h"

namespace plimsoll::bpf_test {
namespace {

/// Whether a thread's account grew as time did between two readings.
bool grew_with_time(std::uint64_t before_ns, std::uint64_t after_ns, const Reading& before,
                    const Reading& after) {
    const std::uint64_t grown = after_ns - before_ns;
    const Passed passed(before, after);
    return grown + kClockSlackNs >= passed.least_ns && grown <= passed.most_ns + kClockSlackNs;
}

TEST_CASE("a thread that was blocked in a pipe before the start is in that state from the first reading on") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Child child(cgroup, [](const Parent& parent) {
        parent.wait();
        parent.tell(1);
        std::array<pollfd, 1> nothing{{{-1, 0, 0}}};
        poll(nothing.data(), nothing.size(), 1'000'000);
        return 0;
    });
    REQUIRE(child.sleeps());
    Agent agent(tree);
    const Reading first = agent.read();
    INFO(first.states(cgroup));
    CHECK(first.threads(cgroup) == 1);
    CHECK(first.processes(cgroup) == 1);
    CHECK(first.in_state(cgroup, "pipe") == 1);
    CHECK(first.state_ns(cgroup, "pipe") == first.lifetime_ns(cgroup));
    const Reading second = agent.read();
    CHECK(grew_with_time(first.state_ns(cgroup, "pipe"), second.state_ns(cgroup, "pipe"), first, second));

    child.go();  // from here on the hooks have it
    child.hear();
    REQUIRE(child.sleeps());
    const Reading third =
        agent.read_until([&](const Reading& now) { return now.in_state(cgroup, "poll") == 1; });
    INFO(third.states(cgroup));
    CHECK(third.in_state(cgroup, "poll") == 1);
    CHECK(third.in_state(cgroup, "pipe") == 0);
    CHECK(grew_with_time(first.lifetime_ns(cgroup), third.lifetime_ns(cgroup), first, third));
    CHECK(third.sum_ns(cgroup) == third.lifetime_ns(cgroup));
    CHECK(third.value(cgroup, "container_wakeups_total") >= 1);
    child.kill();
    child.wait();
    const Reading gone = agent.read_until([&](const Reading& now) { return now.threads(cgroup) == 0; });
    CHECK(gone.threads(cgroup) == 0);
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.value(cgroup, "container_process_exits_total", R"(outcome="SIGKILL")") == 1);
}

TEST_CASE("threads blocked on different things before the start are told apart") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    const auto block = [&](auto call) {
        Child child(cgroup, [call](const Parent&) {
            call();
            return 0;
        });
        REQUIRE(child.sleeps());
        return child;
    };
    std::vector<Child> children;
    children.push_back(block([] { sleep(1000); }));
    children.push_back(block([] {
        std::array<int, 2> pair{};
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data());
        char byte = 0;
        recv(pair[0], &byte, 1, 0);
    }));
    children.push_back(block([] { poll(nullptr, 0, 1'000'000); }));
    children.push_back(block([] {
        std::array<int, 2> ends{};
        static_cast<void>(pipe(ends.data()));
        char byte = 0;
        static_cast<void>(read(ends[0], &byte, 1));
    }));
    children.push_back(block([] {
        sigset_t set;
        sigemptyset(&set);
        sigsuspend(&set);  // of no named kind
    }));
    Agent agent(tree);
    const Reading reading = agent.read();
    INFO(reading.states(cgroup));
    CHECK(reading.threads(cgroup) == 5);
    for (const auto* state : {"sleep", "unix", "poll", "pipe"}) {
        CAPTURE(state);
        CHECK(reading.in_state(cgroup, state) == 1);
    }
    CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
}

TEST_CASE("a thread that runs before the start is running or runnable, and a zombie is nothing") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Child busy(cgroup, [](const Parent& parent) {
        parent.tell(1);
        for (;;) {
        }
        return 0;
    });
    Child zombie(cgroup, [](const Parent&) { return 0; });
    busy.hear();
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(zombie.pid()), &info, WEXITED | WNOWAIT);
    Agent agent(tree);
    const Reading first = agent.read();
    INFO(first.states(cgroup));
    CHECK(first.threads(cgroup) == 1);
    CHECK(first.in_state(cgroup, "running") + first.in_state(cgroup, "runnable") == 1);
    const Reading second = agent.read_until([&](const Reading& now) {
        return now.state_ns(cgroup, "running") > first.state_ns(cgroup, "running");
    });
    CHECK(second.sum_ns(cgroup) == second.lifetime_ns(cgroup));
    CHECK(grew_with_time(first.lifetime_ns(cgroup), second.lifetime_ns(cgroup), first, second));
}

TEST_CASE("a container whose birth was never heard of is found by the resync with all its threads") {
    const CgroupTree tree;
    Agent agent(tree);
    agent.lose_events();
    const Cgroup cgroup = tree.make("c1"), stranger = tree.make("other");
    Child child(cgroup, [](const Parent& parent) { return static_cast<int>(parent.wait()); });
    REQUIRE(child.sleeps());
    CHECK(agent.read().paths.empty());
    const std::uint64_t before = agent.watcher->corrections();
    agent.resync();
    CHECK(agent.watcher->corrections() >= before + 2);  // others make cgroups too
    const Reading found = agent.read();
    INFO(found.states(cgroup));
    CHECK(found.threads(cgroup) == 1);
    CHECK(found.processes(cgroup) == 1);
    CHECK(found.in_state(cgroup, "pipe") == 1);
    CHECK(found.value(cgroup, "container_process_forks_total") == 1);  // it had its own slot from the start
    CHECK_FALSE(agent.scope->find(stranger.id));
    child.go();
    child.wait();
    tree.remove(cgroup);
    tree.remove(stranger);
    agent.resync();
    CHECK(agent.registry->removed() == 1);
    CHECK_FALSE(agent.scope->find(cgroup.id));
}

}  // namespace
}  // namespace plimsoll::bpf_test
