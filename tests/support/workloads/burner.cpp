// SPDX-License-Identifier: Apache-2.0
// burner SECONDS THREADS [CPU]: threads that do nothing but run, until SECONDS of wall time are over; SECONDS
// 0 is for ever. With CPU all are pinned to it. Prints {"cpu_ns": [one per thread], "begin_ns", "end_ns"}.
#include "scene.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

namespace {

struct Burner {
    uint64_t end_ns;
    uint64_t cpu_ns = 0;
    pthread_t thread{};
};

void* burn(void* argument) {
    auto& burner = *static_cast<Burner*>(argument);
    for (volatile uint64_t rounds = 0; boottime_ns() < burner.end_ns;)
        for (int i = 0; i < 10000; ++i)
            rounds = rounds + 1;
    timespec cpu{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    burner.cpu_ns = static_cast<uint64_t>(cpu.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(cpu.tv_nsec);
    return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3 || argc > 4 || atoi(argv[2]) < 1) {
        fputs("usage: burner SECONDS THREADS [CPU]\n", stderr);
        return 2;
    }
    if (argc == 4) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(atoi(argv[3]), &one);
        if (sched_setaffinity(0, sizeof one, &one) != 0) {
            perror("sched_setaffinity");
            return 1;
        }
    }
    const uint64_t begin = boottime_ns();
    const auto seconds = atof(argv[1]);
    const uint64_t end = seconds > 0 ? begin + static_cast<uint64_t>(seconds * 1e9) : UINT64_MAX;
    std::vector<Burner> burners(static_cast<size_t>(atoi(argv[2])), Burner{end});
    for (size_t i = 1; i < burners.size(); ++i)
        pthread_create(&burners[i].thread, nullptr, burn, &burners[i]);
    burn(&burners[0]);
    for (size_t i = 1; i < burners.size(); ++i)
        pthread_join(burners[i].thread, nullptr);
    printf("{\"cpu_ns\": [");
    for (size_t i = 0; i < burners.size(); ++i)
        printf("%s%llu", i ? ", " : "", 0ULL + burners[i].cpu_ns);
    printf("], \"begin_ns\": %llu, \"end_ns\": %llu}\n", 0ULL + begin, 0ULL + boottime_ns());
    return 0;
}
