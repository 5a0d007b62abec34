// SPDX-License-Identifier: Apache-2.0
// 32-bit system calls, made from 64-bit code through int 0x80: their numbers mean other calls than the 64-bit
// ones.
#include "scene.h"

#include <fcntl.h>
#include <sys/mman.h>

namespace {

#ifdef __x86_64__

constexpr long kRead32 = 3;         // 3 is close on x86-64
constexpr long kNanosleep32 = 162;  // 162 is sync on x86-64

long int80(long number, long first, void* second, long third) {
    long result;
    asm volatile("int $0x80"
                 : "=a"(result)
                 : "a"(number), "b"(first), "c"(second), "d"(third)
                 : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/// Memory below 4 GiB, where a 32-bit pointer reaches it.
void* low_memory() {
    void* memory =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (memory == MAP_FAILED)
        fail("mmap below 4 GiB");
    return memory;
}

void expect(long result, long wanted) {
    if (result == wanted)
        return;
    errno = static_cast<int>(-result);
    fail("int 0x80");
}

void int80_nanosleep(Scene& scene) {
    auto* time = static_cast<int32_t*>(low_memory());
    time[0] = static_cast<int32_t>(scene.wait_ns / 1'000'000'000);
    time[1] = static_cast<int32_t>(scene.wait_ns % 1'000'000'000);
    const long address = reinterpret_cast<long>(time);
    expect(scene.timed("int80_nanosleep", [&] { return int80(kNanosleep32, address, nullptr, 0); }), 0);
    munmap(time, 4096);
}

void int80_pipe_read(Scene& scene) {
    void* buffer = low_memory();
    int ends[2];
    must(pipe2(ends, O_CLOEXEC), "pipe2");
    scene.later([&] { must(write(ends[1], "x", 1), "write"); });
    expect(scene.timed("int80_pipe_read", [&] { return int80(kRead32, ends[0], buffer, 1); }), 1);
    close(ends[0]), close(ends[1]);
    munmap(buffer, 4096);
}

#endif

}  // namespace

const Kind kCompatKinds[] = {
#ifdef __x86_64__
    {"int80_nanosleep", int80_nanosleep},
    {"int80_pipe_read", int80_pipe_read},
#endif
    {nullptr, nullptr}};
