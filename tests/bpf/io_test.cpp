// SPDX-License-Identifier: Apache-2.0
// Bytes, operations and errors of reads and writes, exact to the unit, by what the call does: how much it
// moves, how it fails, and whose it is.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <numeric>
#include <thread>

#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

std::array<char, 4096> buffer;
char* volatile nowhere = nullptr;  // volatile: the compiler knows what to think of that

void read_times(int times, int file, std::size_t size) {
    for (int i = 0; i < times; i++) {
        expect(read(file, buffer.data(), size), static_cast<std::int64_t>(size));
    }
}

void write_times(int times, int file, std::size_t size) {
    for (int i = 0; i < times; i++) {
        expect(write(file, buffer.data(), size), static_cast<std::int64_t>(size));
    }
}

/// `name value` of /proc/PID/io.
std::uint64_t proc_io(pid_t process, const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(process) + "/io");
    std::string word;
    std::uint64_t value = 0;
    while (file >> word >> value && word != name + ":") {
    }
    return value;
}

TEST_CASE("io: 23 reads in one container and 29 in another are counted apart, a bystander's not at all") {
    const bool latency = GENERATE(true, false);
    CAPTURE(latency);
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), clean = tree.make("c3"), bystander = tree.make("other");
    Agent::Options options = each_way();
    options.configure = [=, choose = options.configure](Config& config) {
        choose(config);
        config.io.latency = latency;
    };
    Agent agent(tree, options);
    const Cgroup second = tree.make("c2");  // younger than the agent
    const UniqueFd file = make_file(4096);
    Worker unseen(bystander, [&] { read_times(7, file.get(), 3); });
    unseen.run(agent);
    const IoCounts one = counted(agent, first, [&] {
        need(lseek(file.get(), 0, SEEK_SET));
        read_times(23, file.get(), 17);
        write_times(3, file.get(), 5);
    });
    const IoCounts other = counted(agent, second, [&] {
        need(lseek(file.get(), 0, SEEK_SET));
        read_times(29, file.get(), 13);
    });
    CHECK(one == IoCounts{{"file read", {23 * 17, 23}}, {"file write", {3 * 5, 3}}});
    CHECK(other == IoCounts{{"file read", {29 * 13, 29}}});
    const Reading reading = agent.read();
    CHECK(io_counts(reading, clean).empty());
    CHECK(io_counts(reading, bystander).empty());
    const std::string labels = io_labels("file", "read");
    const HistogramValue* times = reading.histogram(second, "container_io_seconds", labels);
    REQUIRE((times != nullptr) == latency);
    if (latency) {
        CHECK(std::accumulate(times->buckets.begin(), times->buckets.end(), std::uint64_t{0}) == 29);
        CHECK(times->sum_ns > 0);
    }
}

TEST_CASE("io: what the kernel says of a process in /proc/PID/io is what was counted") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(64 << 10);
    Worker worker(cgroup, [&] {
        need(lseek(file.get(), 0, SEEK_SET));
        read_times(31, file.get(), 1021);
        write_times(37, file.get(), 509);
    });
    REQUIRE(worker.child().sleeps());
    const pid_t pid = worker.child().pid();
    const std::uint64_t read_before = proc_io(pid, "rchar"), written_before = proc_io(pid, "wchar");
    const IoCounts counts = worker.run(agent);
    constexpr std::uint64_t kWord = 8;  // the go and the answer
    CHECK(counts.at("file read").bytes == proc_io(pid, "rchar") - read_before - kWord);
    CHECK(counts.at("file write").bytes == proc_io(pid, "wchar") - written_before - kWord);
}

TEST_CASE("io: every form of read and write of a file") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(4096);
    const int fd = file.get();
    std::array<iovec, 2> parts{iovec{buffer.data(), 3}, iovec{buffer.data() + 64, 4}};
    CHECK(counted(agent, cgroup, [&] {
              expect(read(fd, buffer.data(), 100), 100);
              expect(pread(fd, buffer.data(), 200, 50), 200);
              expect(readv(fd, parts.data(), 2), 7);
              expect(preadv(fd, parts.data(), 2, 9), 7);
              expect(preadv2(fd, parts.data(), 2, 9, 0), 7);
          }) == IoCounts{{"file read", {321, 5}}});
    CHECK(counted(agent, cgroup, [&] {
              expect(write(fd, buffer.data(), 100), 100);
              expect(pwrite(fd, buffer.data(), 200, 50), 200);
              expect(writev(fd, parts.data(), 2), 7);
              expect(pwritev(fd, parts.data(), 2, 9), 7);
              expect(pwritev2(fd, parts.data(), 2, 9, 0), 7);
          }) == IoCounts{{"file write", {321, 5}}});
}

TEST_CASE("io: short reads count what they read, ends of files and empty calls count as operations") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(101);
    CHECK(counted(agent, cgroup, [&] {
              expect(read(file.get(), buffer.data(), 64), 64);
              expect(read(file.get(), buffer.data(), 64), 37);
              expect(read(file.get(), buffer.data(), 64), 0);
              expect(read(file.get(), buffer.data(), 64), 0);
              expect(read(file.get(), buffer.data(), 0), 0);
              expect(write(file.get(), buffer.data(), 0), 0);
          }) == IoCounts{{"file read", {101, 5}}, {"file write", {0, 1}}});
}

TEST_CASE("io: calls that fail are errors, calls that find nothing yet are nothing") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd read_only(open("/dev/zero", O_RDONLY | O_CLOEXEC)), file = make_file(1);
    const Pair empty = make_pipe_ends(O_NONBLOCK);
    Pair broken = make_pipe_ends();
    broken.first.reset();
    CHECK(counted(agent, cgroup,
                  [&] {
                      signal(SIGPIPE, SIG_IGN);
                      for (int i = 0; i < 3; i++) {
                          expect_error(read(-1, buffer.data(), 1), EBADF);
                      }
                      for (int i = 0; i < 5; i++) {
                          expect_error(write(read_only.get(), buffer.data(), 1), EBADF);
                      }
                      for (int i = 0; i < 7; i++) {
                          expect_error(write(broken.second.get(), buffer.data(), 1), EPIPE);
                      }
                      for (int i = 0; i < 11; i++) {
                          expect_error(read(empty.first.get(), buffer.data(), 1), EAGAIN);
                      }
                      for (int i = 0; i < 13; i++) {
                          expect_error(read(file.get(), nowhere, 1), EFAULT);
                      }
                  }) == IoCounts{{"other read", {0, 0, 3}},
                                 {"other write", {0, 0, 5}},
                                 {"pipe write", {0, 0, 7}},
                                 {"file read", {0, 0, 13}}});
}

/// Reads from an empty pipe, is interrupted twice by a signal, and gets 5 bytes in the end.
void read_interrupted(int flags) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    action.sa_flags = flags;
    sigaction(SIGUSR1, &action, nullptr);
    const Pair ends = make_pipe_ends();
    const pid_t reader = getpid();
    const pid_t helper = fork();  // in the same container: its one write counts, too
    if (helper == 0) {
        for (int i = 0; i < 2; i++) {
            usleep(20'000);
            kill(reader, SIGUSR1);
        }
        usleep(20'000);
        expect(write(ends.second.get(), "12345", 5), 5);
        _exit(0);
    }
    int interrupted = 0;
    while (read(ends.first.get(), buffer.data(), 5) != 5) {
        interrupted++;
    }
    expect(interrupted, flags & SA_RESTART ? 0 : 2);
    expect(waitpid(helper, nullptr, 0), helper);
}

TEST_CASE("io: a read that signals interrupt counts once, restarted by the kernel or by the program") {
    const int flags = GENERATE(0, SA_RESTART);
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    CHECK(counted(agent, cgroup, [&] { read_interrupted(flags); }) ==
          IoCounts{{"pipe read", {5, 1}}, {"pipe write", {5, 1}}});
}

TEST_CASE("io: a call counts for the file that it began with, whatever becomes of the descriptor") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    CHECK(counted(agent, cgroup, [&] {
              const Pair ends = make_pipe_ends();
              std::thread reader([&] { expect(read(ends.first.get(), buffer.data(), 100), 11); });
              usleep(50'000);
              need(dup2(zero.get(), ends.first.get()));
              expect(write(ends.second.get(), buffer.data(), 11), 11);
              reader.join();
          }) == IoCounts{{"pipe read", {11, 1}}, {"pipe write", {11, 1}}});
}

TEST_CASE("io: the time of a call is the time that it took") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    constexpr std::uint64_t kWaitNs = 70'000'000;
    counted(agent, cgroup, [&] {
        const Pair ends = make_unix_pair(SOCK_STREAM);
        std::thread reader([&] { expect(read(ends.first.get(), buffer.data(), 1), 1); });
        usleep(kWaitNs / 1000);
        expect(write(ends.second.get(), buffer.data(), 1), 1);
        reader.join();
    });
    const Reading reading = agent.read();
    const auto* reads = reading.histogram(cgroup, "container_io_seconds", io_labels("unix", "read"));
    const auto* writes = reading.histogram(cgroup, "container_io_seconds", io_labels("unix", "write"));
    REQUIRE((reads != nullptr && writes != nullptr));
    CHECK(reads->sum_ns > kWaitNs / 2);
    CHECK(std::accumulate(reads->buckets.begin(), reads->buckets.begin() + 12, std::uint64_t{0}) == 0);
    CHECK(std::accumulate(reads->buckets.begin() + 12, reads->buckets.end(), std::uint64_t{0}) == 1);
    CHECK(writes->sum_ns < kWaitNs / 2);
}

/// Links of the program with that name among the agent's.
std::size_t count_links(const Agent& agent, const std::string& name) {
    const auto ids = agent.program_ids();
    std::size_t count = 0;
    for (__u32 id = 0; bpf_link_get_next_id(id, &id) == 0;) {
        const UniqueFd link(bpf_link_get_fd_by_id(id));
        bpf_link_info info{};
        __u32 size = sizeof(info);
        if (!link || bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0 ||
            std::ranges::find(ids, info.prog_id) == ids.end()) {
            continue;
        }
        const UniqueFd program(bpf_prog_get_fd_by_id(info.prog_id));
        bpf_prog_info about{};
        size = sizeof(about);
        count += bpf_obj_get_info_by_fd(program.get(), &about, &size) == 0 && name == about.name;
    }
    return count;
}

TEST_CASE("io: nothing is attached to system calls while there is no container") {
    const CgroupTree tree;
    Agent agent(tree);
    CHECK(count_links(agent, "on_sys_exit") == 0);
    for (int i = 0; i < 2; i++) {
        const Cgroup cgroup = tree.make("c1");
        agent.settle();
        CHECK(count_links(agent, "on_sys_enter") == 1);
        CHECK(count_links(agent, "on_sys_exit") == 1);
        tree.remove(cgroup);
        agent.settle();
        CHECK(count_links(agent, "on_sys_enter") == 0);
        CHECK(count_links(agent, "on_sys_exit") == 0);
    }
}

}  // namespace
}  // namespace plimsoll::bpf_test
