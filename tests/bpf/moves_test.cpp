// SPDX-License-Identifier: Apache-2.0
// Moves between cgroups: a thread's life is split where it moved, and nothing of it is lost or counted twice.
#include <sys/syscall.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <thread>

#include "agent.h"
#include "await.h"
#include "child.h"
#include "core/clock.h"

namespace plimsoll::bpf_test {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

/// A process with `count` threads besides the leader; all of them block in a pipe.
int sleep_in_threads(const Parent& parent, int count) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; i++) {
        threads.emplace_back([&] { parent.wait(); });
    }
    parent.wait();
    for (auto& thread : threads) {
        thread.join();
    }
    return 0;
}

bool all_in_pipe(const Reading& reading, const Cgroup& cgroup, std::uint64_t count) {
    return reading.in_state(cgroup, "pipe") == count && reading.threads(cgroup) == count;
}

TEST_CASE("a process that moves has its lifetime split between both containers, and nothing is lost") {
    const CgroupTree tree;
    const Cgroup from = tree.make("c1"), to = tree.make("c2");
    Agent agent(tree);
    const std::uint64_t before = boot_time_ns();
    Child child(from, [](const Parent& parent) {
        const std::uint64_t begin = boot_time_ns();
        parent.wait();
        while (boot_time_ns() < begin + 30 * kMillisecond) {  // moved while it runs
        }
        parent.tell(boot_time_ns() - begin);
        parent.wait();  // and moved while it sleeps
        parent.tell(boot_time_ns() - begin);
        return 0;
    });
    REQUIRE(child.sleeps());
    child.go();
    for (int i = 0; i < 5; i++) {
        CgroupTree::move(child.pid(), to);
        CgroupTree::move(child.pid(), from);
    }
    child.hear();
    REQUIRE(child.sleeps());
    CgroupTree::move(child.pid(), to);
    const Reading moved = agent.read();
    CHECK(moved.threads(from) == 0);
    CHECK(moved.processes(from) == 0);
    CHECK(moved.threads(to) == 1);
    CHECK(moved.processes(to) == 1);
    CHECK(moved.in_state(to, "pipe") == 1);
    child.go();
    const std::uint64_t measured = child.hear();
    CHECK(child.wait() == 0);
    const Reading reading = agent.read_until([&](const Reading& now) { return now.threads(to) == 0; });
    const std::uint64_t after = boot_time_ns();
    INFO(reading.states(from) << "; " << reading.states(to));
    const std::uint64_t lifetime = reading.lifetime_ns(from) + reading.lifetime_ns(to);
    CHECK(lifetime + kClockSlackNs >= measured);
    CHECK(lifetime <= after - before + kClockSlackNs);
    CHECK(reading.lifetime_ns(from) > 0);
    CHECK(reading.lifetime_ns(to) > 0);
    CHECK(reading.sum_ns(from) == reading.lifetime_ns(from));
    CHECK(reading.sum_ns(to) == reading.lifetime_ns(to));
    CHECK(reading.processes(from) == 0);
    CHECK(reading.processes(to) == 0);
    CHECK(reading.value(from, "container_process_exits_total", R"(outcome="success")") == 0);
    CHECK(reading.value(to, "container_process_exits_total", R"(outcome="success")") == 1);
}

TEST_CASE("all threads of a process move with it, also those that sleep on") {
    const CgroupTree tree;
    const Cgroup from = tree.make("c1"), to = tree.make("c2");
    Agent agent(tree);
    Child child(from, [](const Parent& parent) { return sleep_in_threads(parent, 5); });
    const Reading before = agent.read_until([&](const Reading& now) { return all_in_pipe(now, from, 6); });
    INFO(before.states(from));
    REQUIRE(all_in_pipe(before, from, 6));
    CgroupTree::move(child.pid(), to);
    const Reading after = agent.read();
    CHECK(after.threads(from) == 0);
    CHECK(after.processes(from) == 0);
    CHECK(after.in_state(from, "pipe") == 0);
    CHECK(after.threads(to) == 6);
    CHECK(after.processes(to) == 1);
    CHECK(after.in_state(to, "pipe") == 6);
    // What six threads lived between the readings is in one of the two.
    const Passed passed(before, after);
    const std::uint64_t lived = after.lifetime_ns(from) + after.lifetime_ns(to) - before.lifetime_ns(from);
    CHECK(lived + 6 * kClockSlackNs >= 6 * passed.least_ns);
    CHECK(lived <= 6 * (passed.most_ns + kClockSlackNs));
    CHECK(after.sum_ns(to) == after.lifetime_ns(to));
    CHECK(agent.count(EVENT_moved, to) == 1);
}

TEST_CASE("a process that moves into a container or out of it is counted from then or until then") {
    const CgroupTree tree;
    const Cgroup container = tree.make("c1"), outside = tree.make("other");
    Agent agent(tree);
    Child child(outside, [](const Parent& parent) { return sleep_in_threads(parent, 3); });
    REQUIRE(eventually([&] {
        std::error_code error;
        std::size_t threads = 0;
        for (const auto& entry :
             std::filesystem::directory_iterator("/proc/" + std::to_string(child.pid()) + "/task", error)) {
            threads += child.sleeps(std::stoi(entry.path().filename())) ? 1 : 0;
        }
        return threads == 4;
    }));
    CHECK(agent.read().threads(container) == 0);
    const std::uint64_t before_move = boot_time_ns();
    CgroupTree::move(child.pid(), container);
    const Reading inside = agent.read();
    INFO(inside.states(container));
    CHECK(inside.threads(container) == 4);
    CHECK(inside.processes(container) == 1);
    CHECK(inside.in_state(container, "pipe") == 4);
    CHECK(inside.lifetime_ns(container) <= 4 * (inside.end_ns - before_move + kClockSlackNs));
    CgroupTree::move(child.pid(), outside);
    const Reading out = agent.read();
    CHECK(out.threads(container) == 0);
    CHECK(out.processes(container) == 0);
    CHECK(out.lifetime_ns(container) > inside.lifetime_ns(container));
    CHECK(agent.read().lifetime_ns(container) == out.lifetime_ns(container));
    CgroupTree::move(child.pid(), container);
    const Reading again = agent.read();
    CHECK(again.threads(container) == 4);
    CHECK(again.processes(container) == 1);
}

TEST_CASE("single threads that move between threaded cgroups are counted where they are") {
    const CgroupTree tree;
    const Cgroup domain = tree.make("domain"), from = tree.make("domain/c1"), to = tree.make("domain/c2");
    CgroupTree::write(from, "cgroup.type", "threaded");
    CgroupTree::write(to, "cgroup.type", "threaded");
    Agent agent(tree);
    Child child(from, [](const Parent& parent) {
        std::thread thread([&] {
            parent.tell(static_cast<std::uint64_t>(gettid()));
            parent.wait();
        });
        parent.wait();
        thread.join();
        return 0;
    });
    const auto thread = static_cast<pid_t>(child.hear());
    REQUIRE(all_in_pipe(agent.read_until([&](const Reading& now) { return all_in_pipe(now, from, 2); }), from,
                        2));
    CgroupTree::move_thread(thread, to);
    const Reading split = agent.read();
    CHECK(split.threads(from) == 1);
    CHECK(split.threads(to) == 1);
    CHECK(split.in_state(to, "pipe") == 1);
    CHECK(split.processes(from) == 1);  // a process is where its leader is
    CHECK(split.processes(to) == 0);
    CgroupTree::move_thread(child.pid(), to);
    const Reading both = agent.read();
    CHECK(both.threads(to) == 2);
    CHECK(both.processes(from) == 0);
    CHECK(both.processes(to) == 1);
}

TEST_CASE("a process whose leader is a zombie moves with its threads") {
    const CgroupTree tree;
    const Cgroup from = tree.make("c1"), to = tree.make("c2");
    Agent agent(tree);
    Child child(from, [](const Parent& parent) {
        const Parent copy = parent;
        std::thread([copy] {
            copy.wait();
            _exit(0);
        }).detach();
        syscall(SYS_exit, 0);
        return 96;
    });
    REQUIRE(all_in_pipe(agent.read_until([&](const Reading& now) { return all_in_pipe(now, from, 1); }), from,
                        1));
    CgroupTree::move(child.pid(), to);
    const Reading moved = agent.read();
    CHECK(moved.threads(from) == 0);
    CHECK(moved.threads(to) == 1);
    child.go();
    child.wait();
    const Reading gone = agent.read_until([&](const Reading& now) { return now.threads(to) == 0; });
    CHECK(gone.threads(to) == 0);
    CHECK(gone.processes(from) == 0);
    CHECK(gone.processes(to) == 0);
}

TEST_CASE(
    "under a storm of forks, threads, exits and moves the states add up to the lifetime at every reading") {
    const CgroupTree tree;
    const Cgroup from = tree.make("c1"), to = tree.make("c2");
    Agent agent(tree);
    const auto storm = [](const Parent&) {
        const std::uint64_t end = boot_time_ns() + 15'000 * kMillisecond;  // it is killed much sooner
        while (boot_time_ns() < end) {
            if (const pid_t pid = fork(); pid == 0) {
                std::thread([] { std::this_thread::yield(); }).join();
                _exit(0);
            } else {
                std::thread([] {
                    const timespec pause{0, 50'000};
                    nanosleep(&pause, nullptr);
                }).join();
                waitpid(pid, nullptr, 0);
            }
        }
        return 0;
    };
    std::vector<Child> children;
    for (int i = 0; i < 4; i++) {
        children.emplace_back(i % 2 == 0 ? from : to, storm);
    }
    const std::uint64_t end = boot_time_ns() + 1300 * kMillisecond;
    std::uint64_t worst = 0, last_from = 0, last_to = 0;
    constexpr int kReadings = 20;  // at least; a slow machine takes its time for them
    int readings = 0;
    for (bool back = false; boot_time_ns() < end || readings <= kReadings; back = !back) {
        CgroupTree::move(children[0].pid(), back ? from : to);
        CgroupTree::move(children[1].pid(), back ? to : from);
        const Reading reading = agent.read();
        for (const auto* cgroup : {&from, &to}) {
            const std::uint64_t sum = reading.sum_ns(*cgroup), lifetime = reading.lifetime_ns(*cgroup);
            worst = std::max(worst, sum > lifetime ? sum - lifetime : lifetime - sum);
        }
        CHECK(reading.lifetime_ns(from) >= last_from);
        CHECK(reading.lifetime_ns(to) >= last_to);
        last_from = reading.lifetime_ns(from);
        last_to = reading.lifetime_ns(to);
        readings++;
        std::this_thread::sleep_for(
            std::chrono::milliseconds(5));  // readings back to back would be the storm
    }
    CHECK(boot_time_ns() < end + 10'000 * kMillisecond);  // all of them were in the storm
    CHECK(worst <= kMillisecond);
    children.clear();
    const Reading gone =
        agent.read_until([&](const Reading& now) { return now.threads(from) == 0 && now.threads(to) == 0; });
    INFO(gone.states(from) << "; " << gone.states(to));
    CHECK(gone.threads(from) == 0);
    CHECK(gone.threads(to) == 0);
    CHECK(gone.processes(from) + gone.processes(to) == 0);
    CHECK(gone.sum_ns(from) == gone.lifetime_ns(from));
    CHECK(gone.sum_ns(to) == gone.lifetime_ns(to));
    const auto failures = agent.scope->failures();
    CHECK(failures.at(FAILURE_account_missing) == 0);
    CHECK(failures.at(FAILURE_word_contended) == 0);
}

}  // namespace
}  // namespace plimsoll::bpf_test
