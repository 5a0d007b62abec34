// SPDX-License-Identifier: Apache-2.0
// What the probe `socket` adds to a call: one byte to and fro through a pair of unix sockets and through a
// TCP connection over loopback, with different programs on the tracepoints of sockets, in turn. Prints `name
// value` lines. Root only, Linux 6.3 or later.
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <fstream>
#include <string>

#include "containers/cgroup_tree.h"
#include "contender.h"
#include "floor.skel.h"
#include "kernel/features.h"
#include "kernel/mapped_array.h"
#include "kernel/scope.h"
#include "shared/socket.h"
#include "socket.skel.h"

namespace {

using namespace plimsoll;
using bench::Contender;
using bench::must;

constexpr int kCallsPerRound = 2000;  // half of them sends

void make_tcp_pair(int (&pair)[2]) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, name, size) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, name, &size) != 0 || connect(pair[0], name, size) != 0 ||
        (pair[1] = accept(listener, nullptr, nullptr)) < 0) {
        std::perror("TCP connection");
        _exit(1);
    }
    close(listener);
}

/// A process on the last CPU that sends itself bytes; it lives as long as the object.
class Talker {
  public:
    Talker(const std::string& cgroup, int family) {
        if (pipe2(start_, 0) != 0 || pipe2(done_, 0) != 0) {
            std::perror("pipe2");
            std::exit(1);
        }
        child_ = fork();
        if (child_ == 0) {
            if (!cgroup.empty()) {
                std::ofstream(cgroup + "/cgroup.procs") << getpid();
            }
            cpu_set_t cpus;
            CPU_ZERO(&cpus);
            CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
            sched_setaffinity(0, sizeof(cpus), &cpus);
            talk(family);
            _exit(0);
        }
    }
    ~Talker() {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
        for (auto* pair : {start_, done_}) {
            close(pair[0]);
            close(pair[1]);
        }
    }
    Talker(const Talker&) = delete;
    Talker& operator=(const Talker&) = delete;

    /// CPU time of one call, in nanoseconds.
    double round() const {
        char byte = 0;
        const std::uint64_t before = cpu_time_ns();
        if (write(start_[1], &byte, 1) != 1 || read(done_[0], &byte, 1) != 1) {
            std::exit(1);
        }
        return static_cast<double>(cpu_time_ns() - before) / kCallsPerRound;
    }

  private:
    void talk(int family) const {
        int pair[2];
        if (family == AF_INET) {
            make_tcp_pair(pair);
        } else if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
            _exit(1);
        }
        char byte = 0;
        while (read(start_[0], &byte, 1) == 1) {
            for (int i = 0; i < kCallsPerRound / 2; i++) {
                if (send(pair[0], &byte, 1, 0) != 1 || recv(pair[1], &byte, 1, 0) != 1) {
                    _exit(1);
                }
            }
            if (write(done_[1], &byte, 1) != 1) {
                _exit(1);
            }
        }
    }

    [[nodiscard]] std::uint64_t cpu_time_ns() const {
        clockid_t clock{};
        timespec time{};
        if (clock_getcpuclockid(child_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
            std::exit(1);
        }
        return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
               static_cast<std::uint64_t>(time.tv_nsec);
    }

    int start_[2], done_[2];
    pid_t child_ = 0;
};

struct Group {
    const char* name;
    std::vector<Contender> contenders;  ///< bare, empty, timestamp, socket

    [[nodiscard]] double added(std::size_t i) const { return contenders[i].ns() - contenders[0].ns(); }
    void report() const {
        std::printf("socket_ns_%s_bare %.1f\n", name, contenders[0].ns());
        for (std::size_t i = 1; i < contenders.size(); i++) {
            std::printf("socket_added_ns_%s_%s %.1f\n", name, contenders[i].name, added(i));
        }
    }
};

/// The probe's programs, as the probe loads them.
Skeleton<socket_bpf> load_probe(const Scope& scope) {
    auto probe = must(open_skeleton<socket_bpf>(scope.maps()));
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, probe->obj) {
        bpf_program__set_autoload(program,
                                  program == probe->progs.on_send || program == probe->progs.on_receive);
    }
    probe->rodata->subsystem_index = scope.subsystem_index();
    probe->rodata->cpu_count = scope.cpu_count();
    bpf_map__set_max_entries(probe->maps.socket_accounts, scope.slot_count() * scope.cpu_count());
    must(load_skeleton(*probe));
    return probe;
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 60;
    const CgroupLayout layout = must(detect_layout());
    const KernelTypes types = must(KernelTypes::load());
    if (!types.has_tracepoint("sock_send_length")) {
        std::fprintf(stderr, "the kernel has no tracepoint sock_send_length\n");
        return 1;
    }
    ScopeOptions options;
    options.slots = SLOT_FIRST + 8;
    options.provisional = 4;
    options.cgroup_v2 = layout.v2;
    options.controller = layout.controller;
    const auto scope = must(Scope::load(options, types));
    must(scope->attach());
    const auto probe = load_probe(*scope);
    auto floor = must(open_skeleton<floor_bpf>({}));
    for (bpf_program* program : {floor->progs.send_empty, floor->progs.receive_empty,
                                 floor->progs.send_timestamp, floor->progs.receive_timestamp}) {
        bpf_program__set_autoload(program, true);
    }
    must(load_skeleton(*floor));

    const std::string cgroup = layout.mount + "/plimsoll-bench-" + std::to_string(getpid());
    mkdir(cgroup.c_str(), 0755);
    scope->assign(id_of(layout, cgroup.substr(layout.mount.size())).value_or(0), SLOT_FIRST);
    {
        const Talker pair(cgroup, AF_UNIX), tcp(cgroup, AF_INET), unwatched("", AF_UNIX);
        const auto group = [&](const char* name, const Talker& talker) {
            const auto round = [&talker] { return talker.round(); };
            return Group{name,
                         {{"bare", {}, round},
                          {"empty", {floor->progs.send_empty, floor->progs.receive_empty}, round},
                          {"timestamp", {floor->progs.send_timestamp, floor->progs.receive_timestamp}, round},
                          {"probe", {probe->progs.on_send, probe->progs.on_receive}, round}}};
        };
        std::vector<Group> groups{group("unix", pair), group("tcp", tcp), group("unwatched", unwatched)};
        for (int i = 0; i < rounds; i++) {
            for (auto& one : groups) {
                for (auto& contender : one.contenders) {
                    contender.run();
                }
            }
        }
        for (const auto& one : groups) {
            one.report();
        }
        const auto accounts = must(MappedArray<socket_account>::map(
            bpf_map__fd(probe->maps.socket_accounts), std::size_t{scope->slot_count()} * scope->cpu_count()));
        std::uint64_t counted = 0;
        for (const auto& account :
             accounts.elements().subspan(SLOT_FIRST * scope->cpu_count(), scope->cpu_count())) {
            counted += account.cells[PROTOCOL_UNIX][ROLE_NONE][DIRECTION_WRITE].operations;
        }
        if (counted < static_cast<std::uint64_t>(rounds) * bench::kRoundsPerTurn * kCallsPerRound / 2) {
            std::fprintf(stderr, "the talkers are not watched, so nothing was measured\n");
            return 1;
        }
        std::printf("socket_cost_ratio %.3f\n", groups[0].added(3) / groups[0].added(2));
        std::printf("socket_cost_ratio_tcp %.3f\n", groups[1].added(3) / groups[1].added(2));
        std::printf("socket_cost_ratio_unwatched %.3f\n", groups[2].added(3) / groups[2].added(1));
    }
    for (int i = 0; i < 100 && rmdir(cgroup.c_str()) != 0; i++) {
        usleep(10'000);
    }
    return 0;
}
