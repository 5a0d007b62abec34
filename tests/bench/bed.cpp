// SPDX-License-Identifier: Apache-2.0
#include "bed.h"

namespace plimsoll::bench {

Bed::Bed() {
    ScopeOptions options;
    options.slots = SLOT_FIRST + 8;
    options.provisional = 4;
    options.cgroup_v2 = tree.layout().v2;
    options.controller = tree.layout().controller;
    options.peers = true;
    scope = must(Scope::load(options, types));
    must(scope->attach());
    scope->assign(watched.id, SLOT_FIRST);
}

void pin_to_last_cpu() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1), &cpus);
    sched_setaffinity(0, sizeof(cpus), &cpus);
}

std::uint64_t time_ns(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t cpu_time_ns(std::initializer_list<pid_t> processes) {
    std::uint64_t sum = 0;
    for (const pid_t process : processes) {
        clockid_t clock{};
        const std::uint64_t used = clock_getcpuclockid(process, &clock) == 0 ? time_ns(clock) : 0;
        if (used == 0) {
            throw std::runtime_error("a measured process has ended");
        }
        sum += used;
    }
    return sum;
}

double round_of(const Child& child, int count) {
    child.go();
    const std::uint64_t took_ns = child.hear();
    if (took_ns == 0) {
        throw std::runtime_error("the measured process has ended");
    }
    return static_cast<double>(took_ns) / count;
}

}  // namespace plimsoll::bench
