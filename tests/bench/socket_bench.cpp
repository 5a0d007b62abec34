// SPDX-License-Identifier: Apache-2.0
// What the probe `socket` adds to a call: one byte to and fro through a pair of unix sockets and through a
// TCP connection over loopback, with different programs on the tracepoints of sockets, in turn. Prints `name
// value` lines. Root only, Linux 6.3 or later.
#include <sys/socket.h>

#include <cstdio>

#include "../bpf/descriptors.h"
#include "bed.h"
#include "floor.skel.h"
#include "kernel/mapped_array.h"
#include "shared/socket.h"
#include "socket.skel.h"

namespace {

using namespace plimsoll;
using namespace plimsoll::bench;

constexpr int kCallsPerRound = 2000;  // half of them sends

/// A process on the last CPU that sends itself bytes.
Child talker(const Cgroup& cgroup, int family) {
    return Child(cgroup, [family](const Parent& parent) {
        pin_to_last_cpu();
        const bpf_test::Pair pair =
            family == AF_INET ? bpf_test::make_tcp_pair() : bpf_test::make_unix_pair(SOCK_STREAM);
        return serve(parent, CLOCK_PROCESS_CPUTIME_ID, [&] {
            char byte = 0;
            for (int i = 0; i < kCallsPerRound / 2; i++) {
                if (send(pair.first.get(), &byte, 1, 0) != 1 || recv(pair.second.get(), &byte, 1, 0) != 1) {
                    return false;
                }
            }
            return true;
        });
    });
}

/// The probe's programs, as the probe loads them.
Skeleton<socket_bpf> load_probe(const Scope& scope, const KernelTypes& types) {
    auto probe = must(open_skeleton<socket_bpf>(scope.maps()));
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, probe->obj) {
        bpf_program__set_autoload(program,
                                  program == probe->progs.on_send || program == probe->progs.on_receive);
    }
    probe->rodata->subsystem_index = scope.subsystem_index();
    probe->rodata->cpu_count = scope.cpu_count();
    probe->rodata->kernel_can_cast = types.can_cast();
    probe->rodata->books_peers = true;
    bpf_map__set_max_entries(probe->maps.socket_accounts, scope.slot_count() * scope.cpu_count());
    must(load_skeleton(*probe));
    return probe;
}

Skeleton<floor_bpf> load_floor() {
    auto floor = must(open_skeleton<floor_bpf>({}));
    for (bpf_program* program : {floor->progs.send_empty, floor->progs.receive_empty,
                                 floor->progs.send_timestamp, floor->progs.receive_timestamp}) {
        bpf_program__set_autoload(program, true);
    }
    must(load_skeleton(*floor));
    return floor;
}

/// Bytes that the watched process has sent through its pair of unix sockets.
std::uint64_t sent_by_watched(const Scope& scope, const Skeleton<socket_bpf>& probe) {
    const std::size_t cpus = scope.cpu_count();
    const auto accounts = must(MappedArray<socket_account>::map(bpf_map__fd(probe->maps.socket_accounts),
                                                                scope.slot_count() * cpus));
    std::uint64_t counted = 0;
    for (const auto& account : accounts.elements(SLOT_FIRST * cpus, cpus)) {
        counted += account.cells[PROTOCOL_UNIX][ROLE_NONE][DIRECTION_WRITE].operations;
    }
    return counted;
}

void measure(int turns) {
    const Bed bed;
    if (!bed.types.has_tracepoint("sock_send_length")) {
        throw std::runtime_error("the kernel has no tracepoint sock_send_length");
    }
    const auto probe = load_probe(*bed.scope, bed.types);
    const auto floor = load_floor();
    const Child pair = talker(bed.watched, AF_UNIX), tcp = talker(bed.watched, AF_INET),
                unwatched = talker(bed.unwatched, AF_UNIX);
    const auto group = [&](const char* suffix, const Child& child) {
        const auto& floors = floor->progs;
        return Group{suffix,
                     [&child] { return round_of(child, kCallsPerRound); },
                     {{"bare", nothing()},
                      {"empty", programs({floors.send_empty, floors.receive_empty})},
                      {"timestamp", programs({floors.send_timestamp, floors.receive_timestamp})},
                      {"probe", programs({probe->progs.on_send, probe->progs.on_receive})}}};
    };
    std::vector<Group> groups{group("_unix", pair), group("_tcp", tcp), group("_unwatched", unwatched)};
    run_in_turn(groups, turns);
    for (const auto& one : groups) {
        one.report("socket");
    }
    if (sent_by_watched(*bed.scope, probe) !=
        static_cast<std::uint64_t>(turns) * kRoundsPerTurn * kCallsPerRound / 2) {
        throw std::runtime_error("the talkers are not watched, so nothing was measured");
    }
    std::printf("socket_cost_ratio %.3f\n", groups[0].added(3) / groups[0].added(2));
    std::printf("socket_cost_ratio_tcp %.3f\n", groups[1].added(3) / groups[1].added(2));
    std::printf("socket_cost_ratio_unwatched %.3f\n", groups[2].added(3) / groups[2].added(1));
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, 60, measure);
}
