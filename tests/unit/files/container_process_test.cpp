// SPDX-License-Identifier: Apache-2.0
#include "files/container_process.h"

#include <catch2/catch.hpp>

#include "process_fixture.h"

namespace plimsoll {
namespace {

using process_test::Host;
using process_test::pid_of;

TEST_CASE("the lowest pid of the container's own cgroup stands for it") {
    const Host host;
    host.cgroup("/c", "30\n4\n200\n");
    host.cgroup("/c/below", "1\n");
    for (const int pid : {30, 4, 200}) {
        host.process(pid, "/c");
    }
    host.process(1, "/c/below");
    CHECK(pid_of(host.finder().find("/c").get()) == 4);
    CHECK(pid_of(host.finder(false).find("/c").get()) == 4);
}

TEST_CASE("where its own cgroup is empty, those below are searched level by level by name") {
    const Host host;
    host.cgroup("/c", "");
    host.cgroup("/c/system.slice", "2\n");
    host.cgroup("/c/a.slice/deep", "3\n");
    host.cgroup("/c/a.slice", "");
    host.cgroup("/c/init.scope", "77\n");
    host.process(2, "/c/system.slice");
    host.process(3, "/c/a.slice/deep");
    host.process(77, "/c/init.scope");
    CHECK(pid_of(host.finder().find("/c").get()) == 77);
    host.end(77);
    CHECK(pid_of(host.finder().find("/c").get()) == 2);
    host.end(2);
    CHECK(pid_of(host.finder().find("/c").get()) == 3);
    host.end(3);
    CHECK_FALSE(host.finder().find("/c"));
    CHECK_FALSE(host.finder().find("/never"));
}

TEST_CASE("zombies, invisible processes, reused numbers and garbage are passed over") {
    const Host host;
    host.cgroup("/c", "0\n-5\nx\n99999999999999999999\n3\n4\n5\n6");  // the last line is cut off
    host.process(3, "/c", false);
    host.process(4, "/cc");
    host.process(5, "/c/inner");
    host.process(6, "/c");
    CHECK(pid_of(host.finder().find("/c").get()) == 5);
}

TEST_CASE("the process is kept while it lives and belongs, and exchanged when not") {
    const Host host;
    DescriptorBudget budget(10);
    ContainerProcesses processes(host.finder(), &budget);
    const auto ask = [&] {
        const auto [directory, identity] = processes.of(1, "/c");
        const int pid = pid_of(directory);
        processes.end_sample();
        return std::pair(pid, identity);
    };
    host.cgroup("/c", "10\n20\n");
    host.process(10, "/c");
    host.process(20, "/c");
    const auto first = ask();
    CHECK(first.first == 10);
    host.process(5, "/c");
    host.cgroup("/c", "5\n10\n20\n");
    CHECK(ask() == first);
    host.end(5);
    host.process(10, "/elsewhere");
    const auto second = ask();
    CHECK(second.first == 20);
    CHECK(second.second != first.second);
    host.end(20);
    host.process(20, "/elsewhere");  // the number, but not the process
    CHECK(ask() == std::pair(0, std::uint64_t{0}));
    CHECK(host.open_directories() == 0);
    CHECK(budget.left() == 10);
}

TEST_CASE("within a sample the process stays the same, whoever asks") {
    const Host host;
    DescriptorBudget budget(10);
    ContainerProcesses processes(host.finder(), &budget);
    host.cgroup("/c", "10\n20\n");
    host.process(10, "/c");
    host.process(20, "/c");
    const auto first = processes.of(1, "/c");
    host.process(10, "/elsewhere");
    CHECK(processes.of(1, "/c").directory == first.directory);
    CHECK(processes.of(1, "/c").identity == first.identity);
    processes.end_sample();
    CHECK(pid_of(processes.of(1, "/c").directory) == 20);
}

TEST_CASE("in a rest the process and its network are not looked at again") {
    const Host host;
    DescriptorBudget budget(10);
    ContainerProcesses processes(host.finder(), &budget);
    host.cgroup("/c", "10\n20\n");
    host.process(10, "/c");
    host.process(20, "/c");
    const auto network = [&](Rest rest) {
        const auto id = processes.network(1, "/c", rest);
        const int pid = pid_of(processes.of(1, "/c", rest).directory);
        processes.end_sample();
        return std::pair(pid, id ? id->inode : 0);
    };
    const auto first = network(1);
    CHECK(first.first == 10);
    CHECK(first.second != 0);
    host.process(10, "/elsewhere");
    host.network(10, "another");
    CHECK(network(1) == first);
    CHECK(network(2).first == 20);
    host.network(20, "another");
    const auto later = network(kNoRest);
    CHECK(later.first == 20);
    CHECK(later.second != first.second);
    host.end(20);
    CHECK(network(kNoRest) == std::pair(0, std::uint64_t{0}));
}

TEST_CASE("no more processes are kept than the budget allows, and each is found all the same") {
    const Host host;
    constexpr int kContainers = 7;
    for (int pid = 1; pid <= kContainers; ++pid) {
        const std::string cgroup = "/c" + std::to_string(pid);
        host.cgroup(cgroup, std::to_string(pid) + "\n");
        host.process(pid, cgroup);
    }
    for (const std::size_t most : {0U, 3U, 100U}) {
        CAPTURE(most);
        DescriptorBudget budget(most);
        ContainerProcesses processes(host.finder(), &budget);
        const std::size_t kept = std::min<std::size_t>(most, kContainers);
        std::vector<std::uint64_t> identities(kContainers + 1);
        for (int sample = 0; sample < 3; ++sample) {
            for (int pid = 1; pid <= kContainers; ++pid) {
                const auto process = processes.of(static_cast<Handle>(pid), "/c" + std::to_string(pid));
                CHECK(pid_of(process.directory) == pid);
                auto& known = identities[static_cast<std::size_t>(pid)];
                CHECK((known == 0 || known == process.identity));  // nothing has to be learnt anew
                known = process.identity;
                CHECK(host.open_directories() <= kept + 1);
            }
            processes.end_sample();
            CHECK(host.open_directories() == kept);
            CHECK(budget.left() == most - kept);
        }
        processes.of(1, "/c1");  // the others have ended
        processes.end_sample();
        CHECK(host.open_directories() == std::min<std::size_t>(most, 1));
        processes.end_sample();
        CHECK(host.open_directories() == 0);
        CHECK(budget.left() == most);
    }
    ContainerProcesses unbudgeted(host.finder(), nullptr);
    CHECK(pid_of(unbudgeted.of(1, "/c1").directory) == 1);
    unbudgeted.end_sample();
    CHECK(host.open_directories() == 0);
}

TEST_CASE("all processes of a cgroup and those below are visited once") {
    const Host host;
    host.cgroup("/c", "10\n11\n");
    host.cgroup("/c/a", "12\n");
    host.cgroup("/c/b/d", "13\n14\n");
    host.cgroup("/c/b", "");
    for (const auto& [pid, cgroup] : {std::pair(10, "/c"), {12, "/c/a"}, {13, "/c/b/d"}, {14, "/d"}}) {
        host.process(pid, cgroup);
    }
    std::vector<int> seen;
    CHECK(host.finder().for_each("/c", [&](int process) { seen.push_back(pid_of(process)); }));
    CHECK(seen == std::vector{10, 12, 13});
}

TEST_CASE("no more of a file is read than the limit") {
    const container_test::Directory root;
    root.write("long", std::string(100'000, 'x'));
    root.write("short", "abc");
    CHECK(read_prefix(-1, root.path("long").c_str(), 50'000)->size() == 50'000);
    CHECK(read_prefix(-1, root.path("long").c_str(), 100'000)->size() == 100'000);
    CHECK(read_prefix(-1, root.path("long").c_str(), 200'000)->size() == 100'000);
    CHECK(*read_prefix(-1, root.path("short").c_str(), 4096) == "abc");
    CHECK(read_prefix(-1, root.path("short").c_str(), 2) == "ab");
    CHECK_FALSE(read_prefix(-1, root.path("none").c_str(), 10));
}

}  // namespace
}  // namespace plimsoll
