// SPDX-License-Identifier: Apache-2.0
// The kernel's own threads for io_uring never fork: they appear inside a process. Raw system calls, no
// library.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include <array>

#include "agent.h"
#include "child.h"

namespace plimsoll::bpf_test {
namespace {

/// Submits a read of `fd` that the ring must give to a worker thread, which then blocks in it.
bool submit_to_worker(int fd) {
    io_uring_params parameters{};
    const auto ring = static_cast<int>(syscall(SYS_io_uring_setup, 4, &parameters));
    if (ring < 0) {
        return false;
    }
    const auto map = [&](std::size_t size, off_t what) {
        return static_cast<std::byte*>(
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, what));
    };
    auto* queue = map(parameters.sq_off.array + 4 * sizeof(std::uint32_t), IORING_OFF_SQ_RING);
    auto* entry = reinterpret_cast<io_uring_sqe*>(map(4 * sizeof(io_uring_sqe), IORING_OFF_SQES));
    static std::array<char, 8> buffer{};
    entry->opcode = IORING_OP_READ;
    entry->flags = IOSQE_ASYNC;
    entry->fd = fd;
    entry->addr = reinterpret_cast<std::uint64_t>(buffer.data());
    entry->len = buffer.size();
    reinterpret_cast<std::uint32_t*>(queue + parameters.sq_off.array)[0] = 0;
    *reinterpret_cast<volatile std::uint32_t*>(queue + parameters.sq_off.tail) = 1;
    return syscall(SYS_io_uring_enter, ring, 1, 0, 0, nullptr, 0) == 1;
}

TEST_CASE("an io_uring worker is a thread of its container, in state io_uring while it waits") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1"), clean = tree.make("c2");
    Agent agent(tree);
    Child child(cgroup, [](const Parent& parent) {
        std::array<int, 2> ends{};
        const bool submitted = pipe(ends.data()) == 0 && submit_to_worker(ends[0]);
        parent.tell(submitted ? 1 : 2);
        parent.wait();
        return 0;
    });
    const std::uint64_t submitted = child.hear();
    if (submitted == 2) {
        WARN("SKIPPED: bpf: io_uring is not available");
        return;
    }
    const Reading reading = agent.read_until([&](const Reading& now) {
        return now.in_state(cgroup, "io_uring") == 1 && now.in_state(cgroup, "pipe") == 1;
    });
    INFO(reading.states(cgroup));
    CHECK(reading.in_state(cgroup, "io_uring") == 1);
    CHECK(reading.in_state(cgroup, "pipe") == 1);  // the process itself waits for the test
    CHECK(reading.threads(cgroup) == 2);
    CHECK(reading.processes(cgroup) == 1);
    CHECK(reading.value(cgroup, "container_process_forks_total") == 1);
    CHECK(reading.threads(clean) == 0);
    child.go();
    child.wait();
    const Reading gone = agent.read_until([&](const Reading& now) { return now.threads(cgroup) == 0; });
    CHECK(gone.threads(cgroup) == 0);
    CHECK(gone.processes(cgroup) == 0);
    CHECK(gone.sum_ns(cgroup) == gone.lifetime_ns(cgroup));
}

}  // namespace
}  // namespace plimsoll::bpf_test
