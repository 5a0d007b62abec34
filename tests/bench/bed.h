// SPDX-License-Identifier: Apache-2.0
// What a bench of kernel programs stands on: a scope that watches one cgroup and not another, and processes
// in them that work when they are told to. Everything is gone with its owner.
#pragma once

#include <sched.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <initializer_list>
#include <memory>
#include <stdexcept>

#include "../bpf/cgroups.h"
#include "../bpf/child.h"
#include "contender.h"
#include "kernel/features.h"
#include "kernel/scope.h"

namespace plimsoll::bench {

using bpf_test::Cgroup;
using bpf_test::Child;
using bpf_test::Parent;

struct Bed {
    Bed();

    bpf_test::CgroupTree tree;
    /// Made before the scope looks, so that the second has no slot at all.
    Cgroup watched = tree.make("watched"), unwatched = tree.make("unwatched");
    KernelTypes types = must(KernelTypes::load());
    std::unique_ptr<Scope> scope;
};

void pin_to_last_cpu();

/// 0 when the clock is a process's that has ended.
std::uint64_t time_ns(clockid_t clock);
/// CPU time of whole processes. What others take of their CPU is not in it, the hooks' own time is.
std::uint64_t cpu_time_ns(std::initializer_list<pid_t> processes);

/// Inside a process: works whenever it is told to, until `work` returns false. Tells how long it took by the
/// clock.
template <typename Work>
int serve(const Parent& parent, clockid_t clock, Work work) {
    for (;;) {
        parent.wait();
        const std::uint64_t began = time_ns(clock);
        if (!work()) {
            return 1;
        }
        parent.tell(time_ns(clock) - began);
    }
}

/// Lets such a process work once; nanoseconds for each of `count` pieces of it.
double round_of(const Child& child, int count);

}  // namespace plimsoll::bench
