// SPDX-License-Identifier: Apache-2.0
// What the ledger adds to a context switch: a ping-pong between two processes on one CPU, through pipes and
// through TCP, with different programs on the scheduler's hooks, in turn, many short rounds each. Prints
// `name value` lines. Root only.
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <functional>

#include "../bpf/descriptors.h"
#include "bed.h"
#include "floor.skel.h"
#include "ledger.skel.h"

namespace {

using namespace plimsoll;
using namespace plimsoll::bench;

constexpr int kRoundTrips = 1000;  // some 3 ms: short enough to pass undisturbed now and then

/// Two processes that pass a byte to and fro on the last CPU. They live as long as the object.
class PingPong {
  public:
    /// `make_pair`: writing into its second end is read from its first.
    PingPong(const Cgroup& cgroup, const std::function<bpf_test::Pair()>& make_pair)
        : ping_(make_pair()),
          pong_(make_pair()),
          echo_(cgroup, [this](const Parent&) { return echo(); }),
          lead_(cgroup, [this](const Parent& parent) { return lead(parent); }) {}

    /// CPU time of both per switch of one round, in nanoseconds: what other processes take on that CPU is not
    /// in it. The hooks' own time is, because the kernel charges it to the thread that comes in.
    double round() const {
        const std::uint64_t before = cpu_time_ns({echo_.pid(), lead_.pid()});
        round_of(lead_, kRoundTrips);
        return static_cast<double>(cpu_time_ns({echo_.pid(), lead_.pid()}) - before) / (2.0 * kRoundTrips);
    }

  private:
    int echo() const {
        pin_to_last_cpu();
        char byte = 0;
        while (read(ping_.first.get(), &byte, 1) == 1 && write(pong_.second.get(), &byte, 1) == 1) {
        }
        return 1;
    }
    int lead(const Parent& parent) const {
        pin_to_last_cpu();
        return serve(parent, CLOCK_MONOTONIC, [this] {
            char byte = 0;
            for (int i = 0; i < kRoundTrips; i++) {
                if (write(ping_.second.get(), &byte, 1) != 1 || read(pong_.first.get(), &byte, 1) != 1) {
                    return false;
                }
            }
            return true;
        });
    }

    bpf_test::Pair ping_, pong_;
    Child echo_, lead_;
};

/// The ledger's programs, as its probe loads them.
Skeleton<ledger_bpf> load_ledger(const Bed& bed, bool books_peers) {
    auto ledger = must(open_skeleton<ledger_bpf>(bed.scope->maps()));
    ledger->rodata->subsystem_index = bed.scope->subsystem_index();
    ledger->rodata->kernel_can_cast = bed.types.can_cast();
    ledger->rodata->books_peers = books_peers;
    ledger->rodata->wait_shards = std::bit_ceil(bed.scope->cpu_count());
    bpf_map__set_max_entries(ledger->maps.wait_accounts,
                             bed.scope->slot_count() * ledger->rodata->wait_shards);
    must(load_skeleton(*ledger));
    return ledger;
}

void measure(int turns) {
    const Bed bed;
    bed.scope->begin_booking();
    const auto ledger = load_ledger(bed, true), without_peers = load_ledger(bed, false);
    auto floor = must(open_skeleton<floor_bpf>({}));
    must(load_skeleton(*floor));
    const auto pipe = [] { return bpf_test::make_pipe_ends(); };
    const PingPong watched(bed.watched, pipe), tcp(bed.watched, bpf_test::make_tcp_pair),
        unwatched(bed.unwatched, pipe);
    // The same pair of processes plays with the ledger and with the floors, since two pairs differ by tens of
    // nanoseconds for reasons of cache placement alone.
    const auto group = [&](const char* suffix, const PingPong& players) {
        const auto& floors = floor->progs;
        const auto &own = ledger->progs, &plain = without_peers->progs;
        return Group{suffix,
                     [&players] { return players.round(); },
                     {{"bare", nothing()},
                      {"empty", programs({floors.switch_empty, floors.wakeup_empty})},
                      {"timestamp", programs({floors.switch_timestamp, floors.wakeup_timestamp})},
                      {"ledger", programs({own.on_sched_switch, own.on_sched_wakeup})},
                      {"ledger_without_peers", programs({plain.on_sched_switch, plain.on_sched_wakeup})}}};
    };
    std::vector<Group> groups{group("", watched), group("_tcp", tcp), group("_unwatched", unwatched)};
    run_in_turn(groups, turns);
    if (bed.scope->threads_in(SLOT_FIRST) != 4) {
        throw std::runtime_error("the players are not watched, so nothing was measured");
    }
    const Group &in = groups[0], &sockets = groups[1], &out = groups[2];
    for (const auto& one : groups) {
        one.report("switch");
    }
    std::printf("switch_cost_ratio %.3f\n", in.added(3) / in.added(2));
    std::printf("switch_cost_ratio_empty %.3f\n", in.added(3) / in.added(1));
    std::printf("switch_cost_ratio_tcp %.3f\n", sockets.added(3) / sockets.added(2));
    std::printf("switch_cost_ratio_unwatched %.3f\n", out.added(3) / out.added(1));
}

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv, 60, measure);
}
