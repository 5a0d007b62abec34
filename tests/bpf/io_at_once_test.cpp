// SPDX-License-Identifier: Apache-2.0
// Two containers that read and write at the same time, by each of the ways to ask the kernel for it.
#include <fcntl.h>
#include <libaio.h>
#include <liburing.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <string>

#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

/// So many reads of /dev/zero and writes to /dev/null of so many bytes, one after another.
struct Work {
    std::uint64_t times;
    unsigned read_size, write_size;
};

std::array<char, 64> buffer;

void by_calls(const Work& work, int zero, int null) {
    for (std::uint64_t i = 0; i < work.times; i++) {
        expect(read(zero, buffer.data(), work.read_size), work.read_size);
        expect(write(null, buffer.data(), work.write_size), work.write_size);
    }
}

void by_io_uring(const Work& work, int zero, int null) {
    io_uring ring{};
    expect(io_uring_queue_init(2, &ring, 0), 0);
    const auto finish = [&](unsigned size) {
        expect(io_uring_submit(&ring), 1);
        io_uring_cqe* entry = nullptr;
        expect(io_uring_wait_cqe(&ring, &entry), 0);
        expect(entry->res, size);
        io_uring_cqe_seen(&ring, entry);
    };
    for (std::uint64_t i = 0; i < work.times; i++) {
        io_uring_prep_read(io_uring_get_sqe(&ring), zero, buffer.data(), work.read_size, 0);
        finish(work.read_size);
        io_uring_prep_write(io_uring_get_sqe(&ring), null, buffer.data(), work.write_size, 0);
        finish(work.write_size);
    }
    io_uring_queue_exit(&ring);
}

void by_aio(const Work& work, int zero, int null) {
    io_context_t context = nullptr;
    expect(io_setup(2, &context), 0);
    for (std::uint64_t i = 0; i < work.times; i++) {
        iocb reading{}, writing{};
        io_prep_pread(&reading, zero, buffer.data(), work.read_size, 0);
        io_prep_pwrite(&writing, null, buffer.data(), work.write_size, 0);
        std::array<iocb*, 2> blocks{&reading, &writing};
        std::array<io_event, 2> events{};
        expect(io_submit(context, 2, blocks.data()), 2);
        expect(io_getevents(context, 2, 2, events.data(), nullptr), 2);
    }
    expect(io_destroy(context), 0);
}

TEST_CASE("two containers at once, and a bystander: each has its own calls and bytes") {
    const auto [name, way] = GENERATE(table<std::string, void (*)(const Work&, int, int)>(
        {{"calls", by_calls}, {"io_uring", by_io_uring}, {"AIO", by_aio}}));
    CAPTURE(name);
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), second = tree.make("c2"), bystander = tree.make("other");
    Agent agent(tree, each_way());
    const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC)),
        null(open("/dev/null", O_WRONLY | O_CLOEXEC));
    const auto start = [&, way = way](const Cgroup& cgroup, Work work) {
        return Child(cgroup, [&, way, work](const Parent& parent) {
            parent.wait();
            way(work, zero.get(), null.get());
            return 0;
        });
    };
    const Work one{10'007, 13, 17}, two{10'009, 19, 23};
    Child worker = start(first, one), other = start(second, two), nobody = start(bystander, {10'037, 1, 1});
    for (const Child* child : {&worker, &other, &nobody}) {
        child->go();
    }
    REQUIRE((worker.wait() == 0 && other.wait() == 0 && nobody.wait() == 0));
    const Reading reading = agent.read();
    for (const auto& [cgroup, work] : {std::pair{&first, one}, std::pair{&second, two}}) {
        const IoCounts counts = io_counts(reading, *cgroup);
        CAPTURE(counts);
        CHECK(counts.at("other read") == IoCount{work.times * work.read_size, work.times});
        CHECK(counts.at("other write") == IoCount{work.times * work.write_size, work.times});
    }
    CHECK(io_counts(reading, bystander).empty());
}

}  // namespace
}  // namespace plimsoll::bpf_test
