// SPDX-License-Identifier: Apache-2.0
// Forks, execs, exits and OOM kills: exact numbers, each container apart, by ring buffer and by perf buffers.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "agent.h"
#include "await.h"
#include "child.h"

namespace plimsoll::bpf_test {
namespace {

/// `good` processes that succeed, `bad` that fail, `killed` that SIGKILL ends; each executes one program.
std::set<std::uint32_t> run_processes(const Cgroup& cgroup, int good, int bad, int killed) {
    std::set<std::uint32_t> pids;
    const auto remember = [&](const Child& child) { pids.insert(static_cast<std::uint32_t>(child.pid())); };
    for (int i = 0; i < good; i++) {
        Child child(cgroup, "/bin/true");
        remember(child);
        CHECK(child.wait() == 0);
    }
    for (int i = 0; i < bad; i++) {
        Child child(cgroup, "/bin/false");
        remember(child);
        CHECK(WEXITSTATUS(child.wait()) == 1);
    }
    for (int i = 0; i < killed; i++) {
        Child child(cgroup, [](const Parent&) {
            execl("/bin/sh", "sh", "-c", "kill -STOP $$", nullptr);
            return 97;
        });
        remember(child);
        // What /proc says of the program is true a moment before the program has begun.
        const std::string file = "/proc/" + std::to_string(child.pid()) + "/stat";
        CHECK(eventually([&] {
            std::string pid, comm, state;
            std::ifstream(file) >> pid >> comm >> state;
            return state == "T";
        }));
        child.kill();
        CHECK(WTERMSIG(child.wait()) == SIGKILL);
    }
    return pids;
}

std::uint64_t exits(const Reading& reading, const Cgroup& cgroup, const std::string& outcome) {
    return reading.value(cgroup, "container_process_exits_total", "outcome=\"" + outcome + "\"");
}

/// The events of one kind and container: as many as processes, each of them once.
std::multiset<std::uint32_t> pids_of(const Agent& agent, plimsoll_event_kind kind, const Cgroup& cgroup) {
    std::multiset<std::uint32_t> pids;
    for (const auto& event : agent.events) {
        if (event.header.kind == static_cast<std::uint32_t>(kind) && event.header.cgroup_id == cgroup.id) {
            pids.insert(event.process.tgid);
        }
    }
    return pids;
}

std::multiset<std::uint32_t> each_once(const std::set<std::uint32_t>& pids) {
    return {pids.begin(), pids.end()};
}

TEST_CASE(
    "23 processes in one container and 29 in another are counted apart, and the events tell each of them") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    CAPTURE(channel);
    const CgroupTree tree;
    const Cgroup existing = tree.make("c1");
    Agent agent(tree, {.channel = channel});
    const std::uint64_t lost = agent.scope->events_lost();
    const Cgroup newborn = tree.make("c2"), clean = tree.make("c3"), unwatched = tree.make("other");
    const auto first = run_processes(existing, 11, 7, 5);
    const auto second = run_processes(newborn, 13, 11, 5);
    run_processes(unwatched, 2, 0, 0);
    const Reading reading = agent.read_until(
        [&](const Reading& now) { return now.threads(existing) == 0 && now.threads(newborn) == 0; });

    CHECK(reading.value(existing, "container_process_forks_total") == 23);
    CHECK(reading.value(existing, "container_process_execs_total") == 23);
    CHECK(exits(reading, existing, "success") == 11);
    CHECK(exits(reading, existing, "failure") == 7);
    CHECK(exits(reading, existing, "SIGKILL") == 5);
    CHECK(reading.value(newborn, "container_process_forks_total") == 29);
    CHECK(reading.value(newborn, "container_process_execs_total") == 29);
    CHECK(exits(reading, newborn, "success") == 13);
    CHECK(exits(reading, newborn, "failure") == 11);
    CHECK(exits(reading, newborn, "SIGKILL") == 5);
    CHECK(std::ranges::find(reading.paths, clean.path) != reading.paths.end());
    CHECK(reading.value(clean, "container_process_forks_total") == 0);
    CHECK(exits(reading, clean, "success") == 0);
    CHECK(reading.lifetime_ns(clean) == 0);
    CHECK(std::ranges::find(reading.paths, unwatched.path) == reading.paths.end());

    const HistogramValue* lifetimes = reading.histogram(newborn, "container_process_seconds");
    REQUIRE(lifetimes != nullptr);
    CHECK(std::accumulate(lifetimes->buckets.begin(), lifetimes->buckets.end(), std::uint64_t{0}) == 29);

    CHECK(pids_of(agent, EVENT_exec, existing) == each_once(first));
    CHECK(pids_of(agent, EVENT_exit, existing) == each_once(first));
    CHECK(pids_of(agent, EVENT_exec, newborn) == each_once(second));
    CHECK(pids_of(agent, EVENT_exit, newborn) == each_once(second));
    CHECK(agent.count(EVENT_cgroup_birth, newborn) == 1);
    CHECK(agent.count(EVENT_cgroup_birth, existing) == 0);
    CHECK(agent.event_counts.malformed() == 0);
    CHECK(agent.scope->events_lost() == lost);
    CHECK(agent.scope->uses_ringbuf() == (channel == EventChannelKind::ringbuf));
}

TEST_CASE("an exit event tells how the process ended and how long it lived") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent& parent) {
        parent.wait();
        return 3;
    });
    REQUIRE(child.sleeps());
    const auto pid = static_cast<std::uint32_t>(child.pid());
    child.go();
    const int status = child.wait();
    agent.drain();
    const auto exit = std::ranges::find_if(agent.events, [&](const Event& event) {
        return event.header.kind == EVENT_exit && event.process.tgid == pid;
    });
    REQUIRE(exit != agent.events.end());
    CHECK(exit->process.exit_code == static_cast<std::uint32_t>(status));
    CHECK(exit->process.lifetime_ns > 0);
    CHECK(exit->process.lifetime_ns < 10'000'000'000);
    CHECK(std::string(exit->process.comm, strnlen(exit->process.comm, 16)) == "bpf_tests");
    CHECK(exit->header.slot >= SLOT_FIRST);
}

TEST_CASE("a process with many threads is one fork, one process and one exit") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent& parent) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 7; i++) {
            threads.emplace_back([&] { parent.wait(); });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        return 0;
    });
    const Reading alive =
        agent.read_until([&](const Reading& now) { return now.in_state(cgroup, "pipe") == 7; });
    INFO(alive.states(cgroup));
    CHECK(alive.threads(cgroup) == 8);
    CHECK(alive.processes(cgroup) == 1);
    CHECK(alive.in_state(cgroup, "futex") == 1);  // joins
    for (std::uint64_t i = 0; i < 7; i++) {
        child.go();
    }
    CHECK(child.wait() == 0);
    const Reading gone = agent.read_until([&](const Reading& now) { return now.threads(cgroup) == 0; });
    CHECK(gone.threads(cgroup) == 0);
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.value(cgroup, "container_process_forks_total") == 1);
    CHECK(exits(gone, cgroup, "success") == 1);
}

/// A v1 or v2 memory cgroup with a limit, beside the cgroup that identifies the container.
class MemoryLimit {
  public:
    explicit MemoryLimit(const CgroupLayout& layout, const Cgroup& cgroup) {
        if (const auto* v1 = layout.with_controller("memory")) {
            directory_ = v1->mount + "/plimsoll-test-" + std::to_string(getpid());
            std::filesystem::create_directory(directory_);
            write("memory.limit_in_bytes", "16777216");
            write("memory.memsw.limit_in_bytes", "16777216");
        } else {
            directory_ = layout.mount + cgroup.path;
            own_ = false;
            std::ofstream(directory_ + "/../cgroup.subtree_control") << "+memory";
            write("memory.max", "16777216");
            write("memory.swap.max", "0");
        }
    }
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;
    ~MemoryLimit() {
        eventually([&] { return !own_ || rmdir(directory_.c_str()) == 0; });
    }
    [[nodiscard]] bool works() const {
        return access((directory_ + (own_ ? "/memory.oom_control" : "/memory.max")).c_str(), F_OK) == 0;
    }
    void enter() const { write("cgroup.procs", std::to_string(getpid())); }

  private:
    void write(const char* file, const std::string& text) const {
        std::ofstream(directory_ + "/" + file) << text;
    }
    std::string directory_;
    bool own_ = true;
};

TEST_CASE("a process that the OOM killer ends is counted in its own container") {
    const CgroupTree tree;
    const Cgroup victim = tree.make("c1"), clean = tree.make("c2");
    Agent agent(tree);
    const MemoryLimit limit(tree.layout(), victim);
    if (!limit.works()) {
        WARN("SKIPPED: bpf: no memory controller");
        return;
    }
    Child child(victim, [&](const Parent&) {
        limit.enter();
        constexpr std::size_t kSize = 64 << 20;
        auto* memory = static_cast<char*>(
            mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        for (std::size_t i = 0; i < kSize; i += 4096) {
            static_cast<volatile char*>(memory)[i] = 1;
        }
        return 0;
    });
    const auto pid = static_cast<std::uint32_t>(child.pid());
    REQUIRE(WTERMSIG(child.wait()) == SIGKILL);
    const Reading reading = agent.read_until([&](const Reading& now) { return now.threads(victim) == 0; });
    CHECK(reading.value(victim, "container_oom_events_total") == 1);
    CHECK(exits(reading, victim, "SIGKILL") == 1);
    CHECK(reading.value(clean, "container_oom_events_total") == 0);
    CHECK(std::ranges::count_if(agent.events, [&](const Event& event) {
              return event.header.kind == EVENT_oom_kill && event.process.tgid == pid;
          }) == 1);
}

}  // namespace
}  // namespace plimsoll::bpf_test
