// SPDX-License-Identifier: Apache-2.0
// AIO: submissions by operation and kind of file, and the bytes of what was collected.
#include <fcntl.h>
#include <libaio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <catch2/catch.hpp>

#include <array>
#include <vector>

#include "io_work.h"

namespace plimsoll::bpf_test {
namespace {

std::array<char, 4096> buffer;

std::uint64_t submissions(const Reading& reading, const Cgroup& cgroup, const std::string& operation,
                          const std::string& io_class) {
    return reading.value(cgroup, "container_aio_submissions_total",
                         "operation=\"" + operation + "\",class=\"" + io_class + "\"");
}

/// As many requests at once as `prepare` is called for; all are collected.
template <typename Prepare>
void run_requests(int count, Prepare prepare) {
    io_context_t context = nullptr;
    expect(io_setup(count, &context), 0);
    std::vector<iocb> blocks(static_cast<std::size_t>(count));
    std::vector<iocb*> pointers;
    for (auto& block : blocks) {
        prepare(block);
        pointers.push_back(&block);
    }
    std::vector<io_event> events(blocks.size());
    expect(io_submit(context, count, pointers.data()), count);
    expect(io_getevents(context, count, count, events.data(), nullptr), count);
    expect(io_destroy(context), 0);
}

TEST_CASE("aio: requests of two containers, by operation and kind of file") {
    const CgroupTree tree;
    const Cgroup first = tree.make("c1"), second = tree.make("c2"), bystander = tree.make("other");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(4096), zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    std::array<iovec, 2> parts{iovec{buffer.data(), 3}, iovec{buffer.data() + 8, 4}};
    const auto read = [&](iocb& block) { io_prep_pread(&block, file.get(), buffer.data(), 17, 0); };
    CHECK(counted(agent, first, [&] { run_requests(23, read); }) == IoCounts{{"file read", {23 * 17, 23}}});
    CHECK(counted(agent, second,
                  [&] {
                      run_requests(29, read);
                      run_requests(
                          5, [&](iocb& block) { io_prep_pwrite(&block, file.get(), buffer.data(), 11, 0); });
                      run_requests(
                          3, [&](iocb& block) { io_prep_preadv(&block, zero.get(), parts.data(), 2, 0); });
                      run_requests(
                          2, [&](iocb& block) { io_prep_pwritev(&block, file.get(), parts.data(), 2, 0); });
                      run_requests(1, [&](iocb& block) {
                          io_prep_pread(&block, file.get(), buffer.data(), 99, 4090);
                      });
                  }) == IoCounts{{"file read", {29 * 17 + 6, 30}},
                                 {"file write", {5 * 11 + 2 * 7, 7}},
                                 {"other read", {3 * 7, 3}}});
    Worker(bystander, [&] { run_requests(7, read); }).run(agent);
    const Reading reading = agent.read();
    CHECK(submissions(reading, first, "pread", "file") == 23);
    CHECK(submissions(reading, second, "pread", "file") == 30);
    CHECK(submissions(reading, second, "pwrite", "file") == 5);
    CHECK(submissions(reading, second, "preadv", "other") == 3);
    CHECK(submissions(reading, second, "pwritev", "file") == 2);
    CHECK(io_counts(reading, bystander).empty());
}

TEST_CASE("aio: requests that fail, in part or at once") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(4096), write_only(open("/dev/null", O_WRONLY | O_CLOEXEC));
    CHECK(counted(agent, cgroup, [&] {
              io_context_t context = nullptr;
              expect(io_setup(4, &context), 0);
              iocb good{}, bad{};
              io_prep_pread(&good, file.get(), buffer.data(), 13, 0);
              io_prep_pread(&bad, write_only.get(), buffer.data(), 13, 0);
              std::array<iocb*, 3> blocks{&good, &bad, &good};
              expect(io_submit(context, 3, blocks.data()), 1);  // the first bad one ends it
              std::array<io_event, 4> events{};
              expect(io_getevents(context, 1, 4, events.data(), nullptr), 1);
              expect(io_destroy(context), 0);
          }) == IoCounts{{"file read", {13, 1}}});
    CHECK(submissions(agent.read(), cgroup, "pread", "file") == 1);
}

TEST_CASE("aio: what is collected by io_pgetevents, and a request that fails when it is done") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd file = make_file(4096);
    CHECK(counted(agent, cgroup, [&] {
              io_context_t context = nullptr;
              expect(io_setup(4, &context), 0);
              iocb good{}, bad{};
              io_prep_pread(&good, file.get(), buffer.data(), 13, 0);
              io_prep_pread(&bad, file.get(), reinterpret_cast<void*>(1), 17, 0);
              std::array<iocb*, 3> blocks{&good, &bad, &good};
              expect(io_submit(context, 3, blocks.data()), 3);
              std::array<io_event, 4> events{};
              expect(syscall(SYS_io_pgetevents, context, 3L, 4L, events.data(), nullptr, nullptr), 3);
              expect(static_cast<long>(events[1].res), -EFAULT);
              expect(io_destroy(context), 0);
          }) == IoCounts{{"file read", {2 * 13, 2, 1}}});
    CHECK(submissions(agent.read(), cgroup, "pread", "file") == 3);
}

TEST_CASE("aio: an operation that moves nothing is a submission and no more") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree, each_way());
    const UniqueFd events(eventfd(1, 0));
    CHECK(counted(agent, cgroup, [&] {
              run_requests(1, [&](iocb& block) { io_prep_poll(&block, events.get(), 1); });
          }).empty());
    CHECK(submissions(agent.read(), cgroup, "poll", "other") == 1);
}

}  // namespace
}  // namespace plimsoll::bpf_test
