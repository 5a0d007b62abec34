// SPDX-License-Identifier: Apache-2.0
// Requests under way: those of a disk that is held up until the test lets it go.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "agent.h"
#include "await.h"
#include "child.h"
#include "core/clock.h"
#include "frozen_disk.h"

namespace plimsoll::bpf_test {
namespace {

/// Submits `count` writes, not next to each other; says so, and waits for all of them.
int write_apart(const Parent& parent, const std::string& device, long count) {
    const UniqueFd fd(open(device.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    aio_context_t context = 0;
    if (!fd || syscall(SYS_io_setup, 64, &context) != 0) {
        return 1;
    }
    alignas(4096) static std::array<char, 4096> buffer{};
    for (long i = 0; i < count; i++) {
        iocb block{};
        block.aio_lio_opcode = IOCB_CMD_PWRITE;
        block.aio_fildes = static_cast<__u32>(fd.get());
        block.aio_buf = reinterpret_cast<__u64>(buffer.data());
        block.aio_nbytes = buffer.size();
        block.aio_offset = i * 65536;
        iocb* list = &block;
        if (syscall(SYS_io_submit, context, 1, &list) != 1) {
            return 2;
        }
    }
    parent.tell(1);
    std::vector<io_event> events(static_cast<std::size_t>(count));
    return syscall(SYS_io_getevents, context, count, count, events.data(), nullptr) == count ? 0 : 3;
}

std::unique_ptr<FrozenDisk> make_disk() {
    if (!LoopDevice::exist()) {
        WARN("SKIPPED: bpf: no loop devices");
        return nullptr;
    }
    return std::make_unique<FrozenDisk>();
}

/// Not every kernel's loop devices respect that a file system is frozen: there, what was submitted completes.
bool holds_up(const LoopDevice& device) {
    for (int i = 0; i < 100; i++) {
        if (device.stat().in_flight == 0) {
            WARN("SKIPPED: bpf: a frozen file system does not hold up the loop devices of this kernel");
            return false;
        }
        usleep(10'000);
    }
    return true;
}

std::uint64_t in_flight(const Reading& reading, const Cgroup& cgroup, const LoopDevice& device) {
    return reading.value(cgroup, "container_block_in_flight", device.label());
}
/// How long the requests have taken in all.
std::uint64_t taken_ns(const Reading& reading, const Cgroup& cgroup, const LoopDevice& device) {
    std::uint64_t sum = 0;
    for (const char* part : {"container_block_queue_seconds", "container_block_device_seconds"}) {
        const HistogramValue* times = reading.histogram(cgroup, part, device.label("write"));
        sum += times == nullptr ? 0 : times->sum_ns;
    }
    return sum;
}
std::uint64_t writes(const Reading& reading, const Cgroup& cgroup, const LoopDevice& device) {
    return reading.value(cgroup, "container_block_operations_total", device.label("write"));
}

TEST_CASE("requests that a disk holds up are in flight, of each container its own, until they complete") {
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), second = tree.make("c2"), unwatched = tree.make("other");
    const auto disk = make_disk();
    if (!disk) {
        return;
    }
    const LoopDevice& device = disk->device();
    Agent agent(tree);
    const std::uint64_t begin = boot_time_ns();
    const auto start = [&](const Cgroup& cgroup, long count) {
        return Child(cgroup, [&](const Parent& parent) { return write_apart(parent, device.path(), count); });
    };
    Child one = start(first, 7), two = start(second, 3), three = start(unwatched, 2);
    REQUIRE((one.hear() == 1 && two.hear() == 1 && three.hear() == 1));
    const std::uint64_t submitted = boot_time_ns();
    if (!holds_up(device)) {
        return;
    }
    CHECK(device.stat().in_flight == 7 + 3 + 2);
    const Reading held = agent.read();
    CHECK(in_flight(held, first, device) == 7);
    CHECK(in_flight(held, second, device) == 3);
    CHECK(writes(held, first, device) == 0);
    const std::uint64_t held_ns = boot_time_ns() - submitted;
    REQUIRE(held_ns > 900'000'000);
    disk->thaw();
    CHECK((one.wait() == 0 && two.wait() == 0 && three.wait() == 0));
    const std::uint64_t most_ns = boot_time_ns() - begin;
    const Reading done = agent.read();
    CHECK(in_flight(done, first, device) == 0);
    CHECK(in_flight(done, second, device) == 0);
    CHECK(taken_ns(done, first, device) > 7 * held_ns);
    CHECK(taken_ns(done, first, device) < 7 * most_ns);
    CHECK(taken_ns(done, second, device) > 3 * held_ns);
    CHECK(taken_ns(done, second, device) < 3 * most_ns);
    CHECK(writes(done, first, device) == 7);
    CHECK(writes(done, second, device) == 3);
}

TEST_CASE("requests that were under way before the agent are not counted, and those after them are") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    const auto disk = make_disk();
    if (!disk) {
        return;
    }
    const LoopDevice& device = disk->device();
    Child before(cgroup, [&](const Parent& parent) { return write_apart(parent, device.path(), 5); });
    REQUIRE(before.hear() == 1);
    if (!holds_up(device)) {
        return;
    }
    Agent agent(tree);
    CHECK(in_flight(agent.read(), cgroup, device) == 0);
    disk->thaw();
    CHECK(before.wait() == 0);
    CHECK(writes(agent.read(), cgroup, device) == 0);
    CHECK(in_flight(agent.read(), cgroup, device) == 0);
    Child after(cgroup, [&](const Parent& parent) { return write_apart(parent, device.path(), 11); });
    CHECK(after.wait() == 0);
    const Reading reading = agent.read();
    CHECK(writes(reading, cgroup, device) == 11);
    CHECK(in_flight(reading, cgroup, device) == 0);
}

TEST_CASE("a request that outlives its container is nobody's when the slot has another") {
    const CgroupTree tree;
    const auto disk = make_disk();
    if (!disk) {
        return;
    }
    const LoopDevice& device = disk->device();
    Agent agent(tree, {.max = 1, .provisional = 1});
    const Cgroup old = tree.make("c1");
    agent.settle();
    Child child(old, [&](const Parent& parent) { return write_apart(parent, device.path(), 3); });
    REQUIRE(child.hear() == 1);
    if (!holds_up(device)) {
        return;
    }
    CHECK(in_flight(agent.read(), old, device) == 3);
    const std::vector<std::uint32_t> slots = agent.find(old)->slots;
    const Cgroup elsewhere = tree.make("other");
    CgroupTree::move(child.pid(), elsewhere);
    tree.remove(old);
    REQUIRE(eventually([&] {
        agent.settle(1'000'000'000);
        return agent.has_drained();
    }));
    // The longest unused slot is taken first: after some short-lived ones it is this one's turn.
    std::optional<Cgroup> next;
    for (int i = 0; !next && i < 16; i++) {
        Cgroup candidate = tree.make("c" + std::to_string(i + 2));
        agent.settle(7'200'000'000'000);  // the linger of the one before is over
        if (agent.find(candidate) != nullptr && agent.find(candidate)->slots == slots) {
            next.emplace(std::move(candidate));
        } else {
            tree.remove(candidate);
            agent.settle(7'200'000'000'000);
        }
    }
    REQUIRE(next);
    CHECK(in_flight(agent.read(), *next, device) == 0);
    disk->thaw();
    CHECK(child.wait() == 0);
    const Reading done = agent.read();
    CHECK(writes(done, *next, device) == 0);
    CHECK(in_flight(done, *next, device) == 0);
}

}  // namespace
}  // namespace plimsoll::bpf_test
