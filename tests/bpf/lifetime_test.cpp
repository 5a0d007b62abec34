// SPDX-License-Identifier: Apache-2.0
// From the first instruction to the last: every thread's whole life is in the ledger, in the container it
// lived in.
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "agent.h"
#include "await.h"
#include "child.h"
#include "core/clock.h"

namespace plimsoll::bpf_test {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

bool is_empty(const Reading& reading, const Cgroup& cgroup) {
    return reading.threads(cgroup) == 0;
}

TEST_CASE("a container made while the agent runs has its first process's whole life") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    CAPTURE(channel);
    const CgroupTree tree;
    Agent agent(tree, {.channel = channel});
    const Cgroup cgroup = tree.make("c1");  // nobody reads the event before the process has ended
    const std::uint64_t before = boot_time_ns();
    Child child(cgroup, [](const Parent& parent) {
        const std::uint64_t begin = boot_time_ns();
        while (boot_time_ns() < begin + 20 * kMillisecond) {
        }
        parent.tell(boot_time_ns() - begin);
        return 0;
    });
    const std::uint64_t measured = child.hear();
    CHECK(child.wait() == 0);
    const Reading reading = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    const std::uint64_t after = boot_time_ns();
    INFO(reading.states(cgroup));
    CHECK(measured >= 20 * kMillisecond);
    CHECK(reading.lifetime_ns(cgroup) + kClockSlackNs >= measured);
    CHECK(reading.lifetime_ns(cgroup) <= after - before + kClockSlackNs);
    CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
    CHECK(reading.state_ns(cgroup, "running") + reading.state_ns(cgroup, "runnable") + kClockSlackNs >=
          20 * kMillisecond);
    CHECK(reading.processes(cgroup) == 0);
}

TEST_CASE("a container that is gone before anybody heard of it is on the page with what it did") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    CAPTURE(channel);
    const CgroupTree tree;
    Agent agent(tree, {.channel = channel});
    const Cgroup cgroup = tree.make("c1");
    Child child(cgroup, "/bin/true");
    CHECK(child.wait() == 0);
    tree.remove(cgroup);
    const Reading reading = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    CHECK(reading.lifetime_ns(cgroup) > 0);
    CHECK(reading.value(cgroup, "container_process_execs_total") == 1);
    CHECK(agent.registry->added() == 1);
    CHECK(agent.registry->removed() == 1);
    CHECK_FALSE(agent.scope->find(cgroup.id));
}

TEST_CASE("births and deaths on different CPUs are heard in the order in which they happened") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    CAPTURE(channel);
    const CgroupTree tree;
    Agent agent(tree, {.channel = channel});
    cpu_set_t all;
    sched_getaffinity(0, sizeof(all), &all);
    const auto run_on = [](int cpu) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
    };
    const int last = static_cast<int>(std::thread::hardware_concurrency()) - 1;
    run_on(last);
    const Cgroup cgroup = tree.make("c1");
    Child child(cgroup, "/bin/true");
    child.wait();
    run_on(0);  // perf buffers are read one after another, this CPU's first
    tree.remove(cgroup);
    sched_setaffinity(0, sizeof(all), &all);
    const Reading reading = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    CHECK(agent.registry->added() == 1);
    CHECK(agent.registry->removed() == 1);
    CHECK(reading.lifetime_ns(cgroup) > 0);
    CHECK_FALSE(agent.scope->find(cgroup.id));
}

TEST_CASE("children of a container's processes and cgroups belong to it") {
    const CgroupTree tree;
    Agent agent(tree);
    const Cgroup cgroup = tree.make("c1"), inside = tree.make("c1/inside");
    agent.settle();
    const Cgroup later = tree.make("c1/later");  // born below a confirmed container
    Child first(inside, [](const Parent& parent) { return static_cast<int>(parent.wait()); });
    Child second(later, [](const Parent& parent) { return static_cast<int>(parent.wait()); });
    Child third(cgroup, [](const Parent& parent) {
        if (fork() == 0) {
            pause();
        }
        parent.wait();
        return 0;
    });
    const Reading reading =
        agent.read_until([&](const Reading& now) { return now.in_state(cgroup, "pipe") == 3; });
    INFO(reading.states(cgroup));
    CHECK(reading.threads(cgroup) == 4);
    CHECK(reading.processes(cgroup) == 4);
    CHECK(reading.paths.size() == 1);
}

TEST_CASE("counts return to zero and the account stands still when the last process has ended") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    {
        std::vector<Child> children;
        for (int i = 0; i < 13; i++) {
            children.emplace_back(cgroup,
                                  [](const Parent& parent) { return static_cast<int>(parent.wait()); });
        }
        const Reading alive =
            agent.read_until([&](const Reading& now) { return now.in_state(cgroup, "pipe") == 13; });
        CHECK(alive.processes(cgroup) == 13);
        CHECK(alive.threads(cgroup) == 13);
    }
    const Reading gone = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.threads(cgroup) == 0);
    const Reading later = agent.read();
    CHECK(later.now_ns > gone.now_ns);
    CHECK(later.lifetime_ns(cgroup) == gone.lifetime_ns(cgroup));
    CHECK(later.sum_ns(cgroup) == later.lifetime_ns(cgroup));
}

/// The leader ends, another thread goes on and in the end ends the process.
int leave_the_rest_to_a_thread(const Parent& parent, int status) {
    static const Parent* shared = nullptr;
    static int result = 0;
    shared = &parent;
    result = status;
    pthread_t thread{};
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
            shared->wait();
            _exit(result);
        },
        nullptr);
    syscall(SYS_exit, 0);
    return 96;
}

TEST_CASE("a process whose leader is a zombie lives until its last thread ends") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent& parent) { return leave_the_rest_to_a_thread(parent, 3); });
    const Reading alive = agent.read_until(
        [&](const Reading& now) { return now.threads(cgroup) == 1 && now.in_state(cgroup, "pipe") == 1; });
    INFO(alive.states(cgroup));
    CHECK(alive.threads(cgroup) == 1);
    CHECK(alive.processes(cgroup) == 1);
    CHECK(alive.value(cgroup, "container_process_exits_total", R"(outcome="success")") == 0);
    child.go();
    CHECK(WEXITSTATUS(child.wait()) == 3);
    const Reading gone = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.value(cgroup, "container_process_exits_total", R"(outcome="failure")") == 1);
    CHECK(gone.value(cgroup, "container_process_exits_total", R"(outcome="success")") == 0);
    CHECK(gone.sum_ns(cgroup) == gone.lifetime_ns(cgroup));
}

TEST_CASE("a thread that is not the leader and executes a program is the process from then on") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent&) {
        std::thread([] {
            execl("/bin/sleep", "sleep", "1000", nullptr);
            _exit(97);
        }).join();
        return 96;
    });
    const Reading alive = agent.read_until([&](const Reading& now) {
        return now.value(cgroup, "container_process_execs_total") == 1 && now.in_state(cgroup, "sleep") == 1;
    });
    INFO(alive.states(cgroup));
    CHECK(alive.threads(cgroup) == 1);
    CHECK(alive.processes(cgroup) == 1);
    child.kill();
    CHECK(WTERMSIG(child.wait()) == SIGKILL);
    const Reading gone = agent.read_until([&](const Reading& now) { return is_empty(now, cgroup); });
    CHECK(gone.threads(cgroup) == 0);
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.value(cgroup, "container_process_forks_total") == 1);
    CHECK(gone.value(cgroup, "container_process_exits_total", R"(outcome="SIGKILL")") == 1);
}

}  // namespace
}  // namespace plimsoll::bpf_test
