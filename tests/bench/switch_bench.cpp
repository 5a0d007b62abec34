// SPDX-License-Identifier: Apache-2.0
// What the ledger adds to a context switch: a pipe ping-pong between two processes on one CPU, with different
// programs on the scheduler's hooks, in turn, many short rounds each. Prints `name value` lines. Root only.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "containers/cgroup_tree.h"
#include "contender.h"
#include "floor.skel.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "ledger.skel.h"

namespace {

using namespace plimsoll;
using bench::Contender;
using bench::must;

constexpr int kRoundTrips = 1000;  // some 3 ms: short enough to pass undisturbed now and then

/// Two processes that pass a byte to and fro on the last CPU. They live as long as the object.
class PingPong {
  public:
    explicit PingPong(const std::string& cgroup) {
        if (pipe2(ping_, 0) != 0 || pipe2(pong_, 0) != 0 || pipe2(start_, 0) != 0 || pipe2(done_, 0) != 0) {
            std::perror("pipe2");
            std::exit(1);
        }
        echo_ = spawn(cgroup, [this] {
            char byte = 0;
            while (read(ping_[0], &byte, 1) == 1 && write(pong_[1], &byte, 1) == 1) {
            }
        });
        lead_ = spawn(cgroup, [this] { lead(); });
    }
    ~PingPong() {
        for (const pid_t child : {echo_, lead_}) {
            kill(child, SIGKILL);
            waitpid(child, nullptr, 0);
        }
        for (auto* pair : {ping_, pong_, start_, done_}) {
            close(pair[0]);
            close(pair[1]);
        }
    }
    PingPong(const PingPong&) = delete;
    PingPong& operator=(const PingPong&) = delete;

    /// CPU time of both per switch of one round, in nanoseconds: what other processes take on that CPU is not
    /// in it. The hooks' own time is, because the kernel charges it to the thread that comes in.
    double round() const {
        char byte = 0;
        const std::uint64_t before = cpu_time_ns();
        if (write(start_[1], &byte, 1) != 1 || read(done_[0], &byte, 1) != 1) {
            std::exit(1);
        }
        return static_cast<double>(cpu_time_ns() - before) / (2.0 * kRoundTrips);
    }

  private:
    static pid_t spawn(const std::string& cgroup, const std::function<void()>& body) {
        const pid_t child = fork();
        if (child != 0) {
            return child;
        }
        if (!cgroup.empty()) {
            std::ofstream(cgroup + "/cgroup.procs") << getpid();
        }
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
        sched_setaffinity(0, sizeof(cpus), &cpus);
        body();
        _exit(0);
    }

    [[nodiscard]] std::uint64_t cpu_time_ns() const {
        std::uint64_t sum = 0;
        for (const pid_t child : {echo_, lead_}) {
            clockid_t clock{};
            timespec time{};
            if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &time) != 0) {
                std::exit(1);
            }
            sum += static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                   static_cast<std::uint64_t>(time.tv_nsec);
        }
        return sum;
    }

    void lead() const {
        char byte = 0;
        while (read(start_[0], &byte, 1) == 1) {
            for (int i = 0; i < kRoundTrips; i++) {
                if (write(ping_[1], &byte, 1) != 1 || read(pong_[0], &byte, 1) != 1) {
                    _exit(1);
                }
            }
            if (write(done_[1], &byte, 1) != 1) {
                _exit(1);
            }
        }
    }

    int ping_[2], pong_[2], start_[2], done_[2];
    pid_t echo_ = 0, lead_ = 0;
};

/// Two groups: the same pair of processes plays with the ledger and with the floors, since two pairs differ
/// by tens of nanoseconds for reasons of cache placement alone.
struct Group {
    std::vector<Contender> contenders;  ///< bare, empty, timestamp, ledger

    [[nodiscard]] double added(std::size_t i) const { return contenders[i].ns() - contenders[0].ns(); }
    void run() {
        for (auto& contender : contenders) {
            contender.run();
        }
    }
    void report(const char* prefix) const {
        std::printf("switch_ns%s_bare %.1f\n", prefix, contenders[0].ns());
        for (std::size_t i = 1; i < contenders.size(); i++) {
            std::printf("switch_added_ns%s_%s %.1f\n", prefix, contenders[i].name, added(i));
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 60;
    const CgroupLayout layout = must(detect_layout());
    const KernelTypes types = must(KernelTypes::load());
    ScopeOptions options;
    options.slots = SLOT_FIRST + 8;
    options.provisional = 4;
    options.cgroup_v2 = layout.v2;
    options.controller = layout.controller;
    const auto scope = must(Scope::load(options, types));
    must(scope->attach());
    scope->begin_booking();
    auto ledger = must(open_skeleton<ledger_bpf>(scope->maps()));
    ledger->rodata->subsystem_index = scope->subsystem_index();
    ledger->rodata->kernel_can_cast = types.has_function("bpf_rdonly_cast");
    ledger->rodata->wait_shards = std::bit_ceil(scope->cpu_count());
    bpf_map__set_max_entries(ledger->maps.wait_accounts, scope->slot_count() * ledger->rodata->wait_shards);
    must(load_skeleton(*ledger));
    auto floor = must(open_skeleton<floor_bpf>({}));
    must(load_skeleton(*floor));

    const std::string cgroup = layout.mount + "/plimsoll-bench-" + std::to_string(getpid());
    mkdir(cgroup.c_str(), 0755);
    scope->assign(id_of(layout, cgroup.substr(layout.mount.size())).value_or(0), SLOT_FIRST);
    {
        const PingPong watched(cgroup), unwatched("");
        const auto group = [&](const PingPong& players) {
            const auto round = [&players] { return players.round(); };
            return Group{
                {{"bare", {}, round},
                 {"empty", {floor->progs.switch_empty, floor->progs.wakeup_empty}, round},
                 {"timestamp", {floor->progs.switch_timestamp, floor->progs.wakeup_timestamp}, round},
                 {"ledger", {ledger->progs.on_sched_switch, ledger->progs.on_sched_wakeup}, round}}};
        };
        Group in = group(watched), out = group(unwatched);
        for (int i = 0; i < rounds; i++) {
            in.run();
            out.run();
        }
        if (scope->threads_in(SLOT_FIRST) != 2) {
            std::fprintf(stderr, "the players are not watched, so nothing was measured\n");
            return 1;
        }
        in.report("");
        out.report("_unwatched");
        std::printf("switch_cost_ratio %.3f\n", in.added(3) / in.added(2));
        std::printf("switch_cost_ratio_empty %.3f\n", in.added(3) / in.added(1));
        std::printf("switch_cost_ratio_unwatched %.3f\n", out.added(3) / out.added(1));
    }
    for (int i = 0; i < 100 && rmdir(cgroup.c_str()) != 0; i++) {
        usleep(10'000);
    }
    return 0;
}
