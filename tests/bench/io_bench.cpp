// SPDX-License-Identifier: Apache-2.0
// What probe io adds to a call: reads of one byte of /dev/zero, in a watched container and outside any, with
// different programs on the hooks of system calls, in turn, many short rounds each. Prints `name value`
// lines. Root only.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "bed.h"
#include "call_floor.skel.h"
#include "loop/unique_fd.h"
#include "probes/probe.h"

namespace {

using namespace plimsoll;
using namespace plimsoll::bench;

constexpr int kReads = 10'000;  // some 3 ms: short enough to pass undisturbed now and then

/// A process that reads on the last CPU.
Child reader(const Cgroup& cgroup) {
    return Child(cgroup, [](const Parent& parent) {
        pin_to_last_cpu();
        const UniqueFd zero(open("/dev/zero", O_RDONLY));
        return serve(parent, CLOCK_THREAD_CPUTIME_ID, [&] {
            char byte = 0;
            for (int i = 0; i < kReads; i++) {
                if (read(zero.get(), &byte, 1) != 1) {
                    return false;
                }
            }
            return true;
        });
    });
}

std::unique_ptr<Probe> start_probe(const Bed& bed, bool latency) {
    Config config = default_config();
    config.io.method = IoMethod::syscalls;
    config.io.latency = latency;
    auto probe = make_io_probe();
    must(probe->start({*bed.scope, bed.types, bed.tree.layout(), config}));
    return probe;
}

Hooks hooks_of(Probe& probe) {
    return {[&probe] { must(probe.watching(true)); }, [&probe] { must(probe.watching(false)); }};
}

void measure(int turns) {
    const Bed bed;
    const auto timed = start_probe(bed, true), counted = start_probe(bed, false);
    const auto floor = must(open_skeleton<call_floor_bpf>({}));
    must(load_skeleton(*floor));
    const Child watched = reader(bed.watched), unwatched = reader(bed.unwatched);
    const auto group = [&](const char* suffix, const Child& child) {
        const auto& floors = floor->progs;
        return Group{suffix,
                     [&child] { return round_of(child, kReads); },
                     {{"bare", nothing()},
                      {"empty_exit", programs({floors.exit_empty})},
                      {"empty", programs({floors.enter_empty, floors.exit_empty})},
                      {"timestamp", programs({floors.enter_timestamp, floors.exit_timestamp})},
                      {"io_without_latency", hooks_of(*counted)},
                      {"io", hooks_of(*timed)}}};
    };
    std::vector<Group> groups{group("", watched), group("_unwatched", unwatched)};
    run_in_turn(groups, turns);
    const Group &in = groups[0], &out = groups[1];
    in.report("io");
    out.report("io");
    std::printf("io_cost_ratio %.3f\n", in.added(5) / in.added(3));
    std::printf("io_cost_ratio_without_latency %.3f\n", in.added(4) / in.added(2));
    std::printf("io_cost_ratio_without_latency_to_exit_only %.3f\n", in.added(4) / in.added(1));
    std::printf("io_cost_ratio_unwatched %.3f\n", out.added(5) / out.added(2));
    std::printf("io_cost_ratio_unwatched_without_latency %.3f\n", out.added(4) / out.added(1));
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, 40, measure);
}
