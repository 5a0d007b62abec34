// SPDX-License-Identifier: Apache-2.0
// forker COUNT SPIN_US: one process after the other, each running for SPIN_US of its own CPU time and then
// ending. Prints {"count", "cpu_ns": what the kernel charged the children, "begin_ns", "end_ns"}.
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace {

[[noreturn]] void spin(uint64_t ns) {
    timespec cpu{};
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    while (static_cast<uint64_t>(cpu.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(cpu.tv_nsec) < ns);
    _exit(0);
}

uint64_t to_ns(const timeval& time) {
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_usec) * 1000;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        fputs("usage: forker COUNT SPIN_US\n", stderr);
        return 2;
    }
    const int count = atoi(argv[1]);
    const auto spin_ns = static_cast<uint64_t>(atoll(argv[2])) * 1000;
    const uint64_t begin = boottime_ns();
    uint64_t cpu_ns = 0;
    for (int i = 0; i < count; ++i) {
        const pid_t child = fork();
        if (child < 0) {
            perror("fork");
            return 1;
        }
        if (child == 0)
            spin(spin_ns);
        rusage usage{};
        if (wait4(child, nullptr, 0, &usage) != child)
            return 1;
        cpu_ns += to_ns(usage.ru_utime) + to_ns(usage.ru_stime);
    }
    printf("{\"count\": %d, \"cpu_ns\": %llu, \"begin_ns\": %llu, \"end_ns\": %llu}\n", count, 0ULL + cpu_ns,
           0ULL + begin, 0ULL + boottime_ns());
    return 0;
}
