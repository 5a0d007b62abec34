// SPDX-License-Identifier: Apache-2.0
// io_uring: requests by operation, their times, and the same bytes and operations as calls would count for.
#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>

#include <bpf/bpf.h>
#include <catch2/catch.hpp>

#include <array>
#include <functional>
#include <numeric>

#include "await.h"
#include "core/clock.h"
#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

std::array<char, 4096> buffer;

class Ring {
  public:
    explicit Ring(unsigned flags = 0) { expect(io_uring_queue_init(64, &ring_, flags), 0); }
    ~Ring() { io_uring_queue_exit(&ring_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    io_uring* get() { return &ring_; }
    io_uring_sqe* next() { return io_uring_get_sqe(&ring_); }
    /// One request, which has to come to `wanted`; `prepare` is one of liburing's io_uring_prep_….
    template <typename Prepare, typename... Arguments>
    void run(int wanted, Prepare prepare, Arguments... arguments) {
        run_with(0, wanted, prepare, arguments...);
    }
    /// The same with IOSQE_… flags.
    template <typename Prepare, typename... Arguments>
    void run_with(unsigned flags, int wanted, Prepare prepare, Arguments... arguments) {
        io_uring_sqe* entry = next();
        prepare(entry, arguments...);
        entry->flags |= static_cast<__u8>(flags);
        submit(1);
        expect(reap(), wanted);
    }
    void submit(int requests) { expect(io_uring_submit(&ring_), requests); }
    int reap() {
        io_uring_cqe* entry = nullptr;
        expect(io_uring_wait_cqe(&ring_, &entry), 0);
        const int result = entry->res;
        io_uring_cqe_seen(&ring_, entry);
        return result;
    }

  private:
    io_uring ring_{};
};

bool has_io_uring() {
    io_uring ring{};
    if (io_uring_queue_init(2, &ring, 0) != 0) {
        WARN("SKIPPED: bpf: io_uring is not available");
        return false;
    }
    io_uring_queue_exit(&ring);
    return true;
}

/// What most of these tests need.
struct OneContainer {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent{tree};
};

std::uint64_t requests(const Reading& reading, const Cgroup& cgroup, const std::string& operation,
                       const std::string& family = "container_io_uring_requests_total") {
    return reading.value(cgroup, family, "operation=\"" + operation + "\"");
}

std::uint64_t timed(const Reading& reading, const Cgroup& cgroup) {
    const HistogramValue* times = reading.histogram(cgroup, "container_io_uring_seconds");
    return times == nullptr ? 0
                            : std::accumulate(times->buckets.begin(), times->buckets.end(), std::uint64_t{0});
}

/// Entries of one of the probe's maps.
std::size_t under_way(const Agent& agent, const char* map) {
    std::size_t count = 0;
    for (const auto& probe : agent.probes) {
        const int fd = probe->name() == "io" ? bpf_object__find_map_fd_by_name(probe->object(), map) : -1;
        std::array<__u64, 2> key{};
        for (void* from = nullptr; fd >= 0 && bpf_map_get_next_key(fd, from, key.data()) == 0;
             from = key.data()) {
            count++;
        }
    }
    return count;
}

void read_requests(Ring& ring, int times, int file, unsigned size) {
    for (int i = 0; i < times; i++) {
        ring.run(size, io_uring_prep_read, file, buffer.data(), size, 0);
    }
}

TEST_CASE(
    "io_uring: 23 requests in one container and 29 in another are counted apart, a bystander's not at all") {
    if (!has_io_uring()) {
        return;
    }
    const unsigned flags = GENERATE(0U, unsigned{IORING_SETUP_SQPOLL});
    CAPTURE(flags);
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), second = tree.make("c2"), bystander = tree.make("other");
    Agent agent(tree);
    const UniqueFd file = make_file(4096);
    const auto reads = [&](int times, unsigned size) {
        return [&file, flags, times, size] {
            Ring ring(flags);
            read_requests(ring, times, file.get(), size);
        };
    };
    CHECK(counted(agent, first, reads(23, 17)) == IoCounts{{"file read", {23 * 17, 23}}});
    CHECK(counted(agent, second, reads(29, 13)) == IoCounts{{"file read", {29 * 13, 29}}});
    Worker(bystander, reads(7, 3)).run(agent);
    const Reading reading = agent.read();
    CHECK(requests(reading, first, "read") == 23);
    CHECK(requests(reading, second, "read") == 29);
    CHECK(timed(reading, first) == 23);
    CHECK(timed(reading, second) == 29);
    CHECK(io_counts(reading, bystander).empty());
    CHECK(under_way(agent, "io_requests") == 0);
}

TEST_CASE_METHOD(OneContainer, "io_uring: a request takes from its submission to its completion") {
    if (!has_io_uring()) {
        return;
    }
    constexpr std::uint64_t kWaitNs = 70'000'000;
    constexpr std::size_t kBelow = 17;  // buckets up to 2^16 us, which is less
    const Pair pipe = make_pipe_ends();
    const std::uint64_t begin = boot_time_ns();
    counted(agent, cgroup, [&] {
        Ring ring;
        io_uring_prep_read(ring.next(), pipe.first.get(), buffer.data(), 17, 0);
        ring.submit(1);
        usleep(kWaitNs / 1000);
        expect(write(pipe.second.get(), buffer.data(), 13), 13);
        expect(ring.reap(), 13);
    });
    const std::uint64_t most_ns = boot_time_ns() - begin;
    const Reading reading = agent.read();
    const HistogramValue* times = reading.histogram(cgroup, "container_io_uring_seconds");
    REQUIRE(times != nullptr);
    CHECK(times->sum_ns >= kWaitNs);
    CHECK(times->sum_ns < most_ns);
    CHECK(timed(reading, cgroup) == 1);
    CHECK(std::accumulate(times->buckets.begin(), times->buckets.begin() + kBelow, std::uint64_t{0}) == 0);
}

TEST_CASE_METHOD(
    OneContainer,
    "io_uring: read, write, send, receive, splice, each with its file's kind and its direction") {
    if (!has_io_uring()) {
        return;
    }
    const UniqueFd file = make_file(4096);
    const Pair tcp = make_tcp_pair(), local = make_unix_pair(SOCK_DGRAM), pipe = make_pipe_ends();
    CHECK(counted(agent, cgroup,
                  [&] {
                      Ring ring;
                      iovec part{buffer.data(), 31};
                      msghdr message{};
                      message.msg_iov = &part;
                      message.msg_iovlen = 1;
                      ring.run(31, io_uring_prep_writev, file.get(), &part, 1, 0);
                      ring.run(6, io_uring_prep_readv, file.get(), &part, 1, 4090);
                      ring.run(0, io_uring_prep_read, file.get(), buffer.data(), 8, 4096);
                      ring.run(101, io_uring_prep_send, tcp.first.get(), buffer.data(), 101, 0);
                      ring.run(101, io_uring_prep_recv, tcp.second.get(), buffer.data(), 1000, 0);
                      ring.run(31, io_uring_prep_sendmsg, local.first.get(), &message, 0);
                      ring.run(31, io_uring_prep_recvmsg, local.second.get(), &message, 0);
                      ring.run(43, io_uring_prep_splice, file.get(), 0, pipe.second.get(), -1, 43, 0);
                      ring.run(0, io_uring_prep_fsync, file.get(), 0);
                      ring.run(0, io_uring_prep_nop);
                  }) == IoCounts{{"file write", {31, 1}},
                                 {"file read", {6 + 0 + 43, 3}},
                                 {"inet write", {101, 1}},
                                 {"inet read", {101, 1}},
                                 {"unix write", {31, 1}},
                                 {"unix read", {31, 1}},
                                 {"pipe write", {43, 1}}});
    const Reading reading = agent.read();
    for (const auto* operation :
         {"writev", "readv", "read", "send", "recv", "sendmsg", "recvmsg", "splice", "fsync", "nop"}) {
        CAPTURE(operation);
        CHECK(requests(reading, cgroup, operation) == 1);
    }
    CHECK(timed(reading, cgroup) == 10);
}

TEST_CASE_METHOD(OneContainer, "io_uring: files and buffers that are registered with the ring") {
    if (!has_io_uring()) {
        return;
    }
    const UniqueFd file = make_file(4096);
    const Pair local = make_unix_pair(SOCK_STREAM);
    CHECK(counted(agent, cgroup, [&] {
              Ring ring;
              const std::array<int, 2> files{file.get(), local.first.get()};
              const iovec whole{buffer.data(), buffer.size()};
              expect(io_uring_register_files(ring.get(), files.data(), 2), 0);
              expect(io_uring_register_buffers(ring.get(), &whole, 1), 0);
              ring.run_with(IOSQE_FIXED_FILE, 1009, io_uring_prep_read_fixed, 0, buffer.data(), 1009, 0, 0);
              ring.run_with(IOSQE_FIXED_FILE, 47, io_uring_prep_write, 1, buffer.data(), 47, 0);
          }) == IoCounts{{"file read", {1009, 1}}, {"unix write", {47, 1}}});
    CHECK(requests(agent.read(), cgroup, "read_fixed") == 1);
}

TEST_CASE_METHOD(OneContainer,
                 "io_uring: requests that fail, that are cancelled, and that complete in a worker") {
    if (!has_io_uring()) {
        return;
    }
    const UniqueFd file = make_file(4096);
    const Pair pipe = make_pipe_ends();
    CHECK(counted(agent, cgroup, [&] {
              Ring ring;
              for (int i = 0; i < 3; i++) {
                  ring.run(-EBADF, io_uring_prep_read, 1000, buffer.data(), 1, 0);
              }
              for (int i = 0; i < 5; i++) {
                  ring.run_with(IOSQE_ASYNC, 19, io_uring_prep_read, file.get(), buffer.data(), 19, 0);
              }
              io_uring_sqe* waiting = ring.next();
              io_uring_prep_read(waiting, pipe.first.get(), buffer.data(), 1, 0);
              io_uring_sqe_set_data64(waiting, 77);
              ring.submit(1);
              io_uring_prep_cancel64(ring.next(), 77, 0);
              ring.submit(1);
              expect(ring.reap() + ring.reap(), -ECANCELED);
          }) == IoCounts{{"other read", {0, 0, 3}}, {"file read", {5 * 19, 5}}, {"pipe read", {0, 0, 1}}});
    const Reading reading = agent.read();
    CHECK(requests(reading, cgroup, "read") == 9);
    CHECK(requests(reading, cgroup, "read", "container_io_uring_punted_total") == 5);
    CHECK(requests(reading, cgroup, "async_cancel") == 1);
    CHECK(timed(reading, cgroup) == 10);
}

/// Hands a ring buffers to receive into.
void provide_buffers(Ring& ring) {
    ring.run(0, io_uring_prep_provide_buffers, buffer.data(), 256, 16, 1, 0);
}

TEST_CASE_METHOD(OneContainer, "io_uring: a request that completes many times counts each") {
    if (!has_io_uring()) {
        return;
    }
    const Pair local = make_unix_pair(SOCK_DGRAM);
    const IoCounts counts = counted(agent, cgroup, [&] {
        Ring ring;
        provide_buffers(ring);
        io_uring_sqe* entry = ring.next();
        io_uring_prep_recv_multishot(entry, local.second.get(), nullptr, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        entry->buf_group = 1;
        io_uring_sqe_set_data64(entry, 4711);
        ring.submit(1);
        for (int i = 1; i <= 11; i++) {
            expect(send(local.first.get(), buffer.data(), static_cast<std::size_t>(i), 0), i);
            expect(ring.reap(), i);
        }
        io_uring_prep_cancel64(ring.next(), 4711, 0);
        ring.submit(1);
        ring.reap();
        ring.reap();
    });
    CHECK(counts.at("unix write") == IoCount{66, 11});
    CHECK(counts.at("unix read") == IoCount{66, 11, 1});
    CHECK(requests(agent.read(), cgroup, "recv") == 1);
    CHECK(under_way(agent, "io_multishots") == 0);
}

TEST_CASE_METHOD(
    OneContainer,
    "io_uring: a completion that finds its queue full may be missed, and is not taken for another's") {
    if (!has_io_uring()) {
        return;
    }
    const UniqueFd file = make_file(4096);
    const Pair tcp = make_tcp_pair();
    IoCounts counts = counted(agent, cgroup, [&] {
        Ring ring;  // of 64 entries, so that 128 completions have room
        for (int batch = 0; batch < 3; batch++) {
            for (int i = 0; i < 50; i++) {
                io_uring_prep_read(ring.next(), file.get(), buffer.data(), 17, 0);
            }
            ring.submit(50);
        }
        for (int i = 0; i < 150; i++) {
            expect(ring.reap(), 17);
        }
        for (int i = 0; i < 10; i++) {  // the kernel takes a request of its own for each, to tell the end
            io_uring_prep_send_zc(ring.next(), tcp.first.get(), buffer.data(), 11, 0, 0);
            ring.submit(1);
            expect(ring.reap() + ring.reap(), 11);
        }
    });
    const IoCount reads = counts["file read"];
    CHECK(reads.operations >= 128);  // more where some had to wait for their data
    CHECK(reads.operations <= 150);
    CHECK(counts ==
          IoCounts{{"file read", {reads.operations * 17, reads.operations}}, {"inet write", {110, 10}}});
    const Reading reading = agent.read();
    CHECK(requests(reading, cgroup, "read") == 150);
    CHECK(requests(reading, cgroup, "send_zc") == 10);
}

TEST_CASE_METHOD(OneContainer, "io_uring: nothing is left of requests whose process was killed") {
    if (!has_io_uring()) {
        return;
    }
    {
        Child child(cgroup, [](const Parent& parent) {
            const Pair pipe = make_pipe_ends();
            Ring ring;
            for (int i = 0; i < 13; i++) {
                io_uring_prep_read(ring.next(), pipe.first.get(), buffer.data(), 1, 0);
            }
            ring.submit(13);
            parent.tell(1);
            parent.wait();
            return 0;
        });
        REQUIRE(child.hear() == 1);
        CHECK(under_way(agent, "io_requests") == 13);
    }
    CHECK(eventually([&] { return under_way(agent, "io_requests") == 0; }));
    CHECK(requests(agent.read(), cgroup, "read") == 13);
}

}  // namespace
}  // namespace plimsoll::bpf_test
