// SPDX-License-Identifier: Apache-2.0
// Requests that reach a disk: exact numbers, each container apart, on loop devices; the disk's own statistics
// as outside truth.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
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
    [[nodiscard]] std::uint64_t waited_ns(const char* direction) const {
        const HistogramValue* value =
            reading.histogram(cgroup, "container_block_queue_seconds", device.label(direction));
        return value == nullptr ? 0 : value->sum_ns;
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
    // Where it is not told when a request is made, a flush has no submitter by the time that it is seen.
    const bool announced = agent.types->has_tracepoint("block_io_start");
    CHECK(one.operations("flush") == (announced ? 7 : 0));
    CHECK(one.operations("discard") == 5);
    CHECK(one.bytes("discard") == 5 * 65536);
    CHECK(two.operations("read") == 31);
    CHECK(two.bytes("read") == 31 * 16384);
    CHECK(two.operations("write") == 11);
    CHECK(two.operations("flush") == (announced ? 3 : 0));
    CHECK(two.operations("discard") == 0);
    CHECK(none.operations("read") + none.operations("write") == 0);

    CHECK(after.reads - before.reads == 23 + 31 + 13);
    CHECK((after.read_sectors - before.read_sectors) * 512 ==
          one.bytes("read") + two.bytes("read") + 13 * 4096);
    const std::uint64_t flushes = 7 + 3 + 2;
    CHECK(after.flushes - before.flushes == flushes);
    CHECK(after.writes - before.writes == 29 + 11 + 17 + flushes);  // who asks for a flush "writes" nothing
    CHECK(after.discards - before.discards == 5 + 1);

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

/// Submits `count` writes of neighbouring blocks with one system call, and waits for all of them.
int submit_together(const std::string& device, long count) {
    const UniqueFd fd(open(device.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    aio_context_t context = 0;
    if (!fd || syscall(SYS_io_setup, 64, &context) != 0) {
        return 1;
    }
    alignas(4096) static std::array<char, 4096> buffer{};
    std::vector<iocb> blocks(static_cast<std::size_t>(count));
    std::vector<iocb*> list;
    for (auto& block : blocks) {
        block.aio_lio_opcode = IOCB_CMD_PWRITE;
        block.aio_fildes = static_cast<__u32>(fd.get());
        block.aio_buf = reinterpret_cast<__u64>(buffer.data());
        block.aio_nbytes = buffer.size();
        block.aio_offset = static_cast<__s64>(list.size() * buffer.size());
        list.push_back(&block);
    }
    std::vector<io_event> events(blocks.size());
    return syscall(SYS_io_submit, context, count, list.data()) == count &&
                   syscall(SYS_io_getevents, context, count, count, events.data(), nullptr) == count
               ? 0
               : 2;
}

TEST_CASE("neighbouring writes that the kernel merges are one request, and wait in the scheduler's queue") {
    if (!loop_devices_are_here()) {
        return;
    }
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1"), other = tree.make("c2");
    const LoopDevice device(64 * kMiB);
    device.use_scheduler("mq-deadline");
    Agent agent(tree);
    const LoopDevice::Stat before = device.stat();
    Child child(cgroup, [&](const Parent&) { return submit_together(device.path(), 17); });
    CHECK(WEXITSTATUS(child.wait()) == 0);
    run(other, device, {.reads = 13});
    const LoopDevice::Stat after = device.stat();
    const Reading reading = agent.read();
    const View view{reading, cgroup, device};
    CHECK(view.bytes("write") == 17 * 4096);
    CHECK(view.operations("write") == after.writes - before.writes);
    CHECK(view.count("merges", "write") == after.write_merges - before.write_merges);
    CHECK(view.operations("write") + view.count("merges", "write") == 17);
    CHECK(view.count("merges", "write") > 0);
    CHECK(view.timed("queue", "write") == view.operations("write"));
    CHECK(view.waited_ns("write") > 0);
    const View clean{reading, other, device};
    CHECK(clean.operations("read") == 13);
    CHECK(clean.count("merges", "read") == 0);
    CHECK(clean.waited_ns("read") > 0);
    CHECK(view.in_flight() == 0);
}

TEST_CASE("a request that the disk completes in part counts what was read, and one error for the rest") {
    if (!loop_devices_are_here()) {
        return;
    }
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    const LoopDevice device(kMiB);
    Agent agent(tree);
    device.truncate(20480);  // blocks 0 to 4; a read of two blocks at a time is cut in the third one
    Child child(cgroup,
                [&](const Parent&) { return work_on(device.path(), {.reads = 3, .read_bytes = 8192}); });
    CHECK(WEXITSTATUS(child.wait()) != 0);
    const Reading reading = agent.read();
    const View view{reading, cgroup, device};
    CHECK(view.operations("read") == 3);
    CHECK(view.bytes("read") == 20480);
    CHECK(view.count("errors", "read") == 1);
    CHECK(view.timed("device", "read") == 3);
    CHECK(view.in_flight() == 0);
}

TEST_CASE("a slot's next container starts without the requests of the one before, which keeps its own") {
    if (!loop_devices_are_here()) {
        return;
    }
    const CgroupTree tree;
    const LoopDevice device(64 * kMiB);
    Agent agent(tree, {.max = 2, .provisional = 2});
    std::uint64_t shown = 0;
    for (int i = 0; i < 7; i++) {
        const Cgroup cgroup = tree.make("c" + std::to_string(i));
        agent.settle();
        run(cgroup, device, {.reads = 23 + i});
        const Reading alive = agent.read();
        CHECK(View{alive, cgroup, device}.operations("read") == static_cast<std::uint64_t>(23 + i));
        tree.remove(cgroup);
        REQUIRE(eventually([&] {
            agent.settle(1'000'000'000);
            return agent.has_drained();
        }));
        const Reading ended = agent.read();
        shown += View{ended, cgroup, device}.operations("read") == static_cast<std::uint64_t>(23 + i) ? 1 : 0;
    }
    CHECK(shown == 7);
}

TEST_CASE("a disk that is taken away and made anew keeps its counters and goes on from there") {
    if (!loop_devices_are_here()) {
        return;
    }
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    std::string path;
    {
        const LoopDevice device(64 * kMiB);
        path = device.path();
        run(cgroup, device, {.reads = 23, .flushes = 3});
        const Reading first = agent.read();
        CHECK(View{first, cgroup, device}.operations("read") == 23);
    }
    const std::string label = "device=\"" + path + "\",direction=\"read\"";
    CHECK(agent.read().value(cgroup, "container_block_operations_total", label) == 23);
    const LoopDevice device(32 * kMiB);
    run(cgroup, device, {.reads = 29});
    const Reading reading = agent.read();
    const View view{reading, cgroup, device};
    CHECK(view.operations("read") == (device.path() == path ? 23 + 29 : 29));
    CHECK(view.in_flight() == 0);
}

}  // namespace
}  // namespace plimsoll::bpf_test
