// SPDX-License-Identifier: Apache-2.0
// Requests that reach a disk: exact numbers, each container apart, on loop devices; the disk's own statistics
// as outside truth.
#include <fcntl.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include <numeric>

#include "agent.h"
#include "await.h"
#include "child.h"
#include "loop_device.h"

namespace plimsoll::bpf_test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

bool loop_devices_are_here() {
    if (!LoopDevice::exist()) {
        WARN("SKIPPED: bpf: no loop devices");
        return false;
    }
    return true;
}

void run(const Cgroup& cgroup, const LoopDevice& device, const BlockWork& work) {
    Child child(cgroup, [&](const Parent&) { return work_on(device.path(), work); });
    CHECK(WEXITSTATUS(child.wait()) == 0);
}

/// A reading of one container's block families on one device.
struct View {
    const Reading& reading;
    const Cgroup& cgroup;
    const LoopDevice& device;

    [[nodiscard]] std::uint64_t count(const char* what, const char* direction) const {
        return reading.value(cgroup, "container_block_" + std::string(what) + "_total",
                             device.label(direction));
    }
    [[nodiscard]] std::uint64_t operations(const char* direction) const {
        return count("operations", direction);
    }
    [[nodiscard]] std::uint64_t bytes(const char* direction) const { return count("bytes", direction); }
    [[nodiscard]] std::uint64_t in_flight() const {
        return reading.value(cgroup, "container_block_in_flight", device.label());
    }
    /// How many values the histogram has.
    [[nodiscard]] std::uint64_t timed(const char* what, const char* direction) const {
        const HistogramValue* value = reading.histogram(
            cgroup, "container_block_" + std::string(what) + "_seconds", device.label(direction));
        return value == nullptr ? 0 : std::accumulate(value->buckets.begin(), value->buckets.end(), 0ULL);
    }
};

TEST_CASE("requests of two containers to one disk are counted apart, and the disk's own statistics agree") {
    if (!loop_devices_are_here()) {
        return;
    }
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), second = tree.make("c2"), clean = tree.make("c3"),
                 unwatched = tree.make("other");
    const LoopDevice device(64 * kMiB);
    Agent agent(tree);
    const LoopDevice::Stat before = device.stat();
    run(first, device, {.reads = 23, .writes = 29, .write_bytes = 8192, .flushes = 7, .discards = 5});
    run(second, device, {.reads = 31, .read_bytes = 16384, .writes = 11, .flushes = 3});
    run(unwatched, device, {.reads = 13, .writes = 17, .flushes = 2, .discards = 1});
    const LoopDevice::Stat after = device.stat();
    const Reading reading = agent.read();

    const View one{reading, first, device}, two{reading, second, device}, none{reading, clean, device};
    CHECK(one.operations("read") == 23);
    CHECK(one.bytes("read") == 23 * 4096);
    CHECK(one.operations("write") == 29);
    CHECK(one.bytes("write") == 29 * 8192);
    CHECK(one.operations("flush") == 7);
    CHECK(one.operations("discard") == 5);
    CHECK(one.bytes("discard") == 5 * 65536);
    CHECK(two.operations("read") == 31);
    CHECK(two.bytes("read") == 31 * 16384);
    CHECK(two.operations("write") == 11);
    CHECK(two.operations("flush") == 3);
    CHECK(two.operations("discard") == 0);
    CHECK(none.operations("read") + none.operations("write") == 0);

    CHECK(after.reads - before.reads == 23 + 31 + 13);
    CHECK((after.read_sectors - before.read_sectors) * 512 ==
          one.bytes("read") + two.bytes("read") + 13 * 4096);
    CHECK(after.writes - before.writes == 29 + 11 + 17);
    CHECK(after.discards - before.discards == 5 + 1);
    CHECK(after.flushes - before.flushes == 7 + 3 + 2);

    for (const char* direction : {"read", "write", "discard", "flush"}) {
        CAPTURE(direction);
        CHECK(one.timed("device", direction) == one.operations(direction));
        CHECK(one.timed("queue", direction) == (direction[0] == 'f' ? 0 : one.operations(direction)));
        CHECK(one.count("errors", direction) == 0);
    }
    CHECK(one.in_flight() == 0);
    for (const auto failed : agent.scope->failures()) {
        CHECK(failed == 0);
    }
}

}  // namespace
}  // namespace plimsoll::bpf_test
