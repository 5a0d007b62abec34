// SPDX-License-Identifier: Apache-2.0
// Fixture trees: cgroup directories and a /proc whose processes are directories of ours.
#include "files/container_process.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "../containers/fixture.h"
#include "files/read_prefix.h"

namespace plimsoll {
namespace {

class Host {
  public:
    ProcessFinder finder(bool v2 = true) const {
        CgroupLayout layout;
        layout.mount = root_.path("cgroup");
        layout.v2 = v2;
        layout.controller = v2 ? "" : "cpu";
        return ProcessFinder(layout, root_.path("proc"));
    }
    void cgroup(const std::string& path, const std::string& pids) const {
        root_.write("cgroup" + path + "/cgroup.procs", pids);
    }
    void process(int pid, const std::string& cgroup, bool live = true) const {
        const std::string directory = "proc/" + std::to_string(pid);
        root_.write(directory + "/cgroup",
                    "4:cpuacct,cpu:" + cgroup + "\n1:name=systemd:/x\n0::" + cgroup + "\n");
        std::filesystem::create_directory(root_.path(directory + "/ns"));
        if (live) {
            std::filesystem::create_symlink("net:[4026531840]", root_.path(directory + "/ns/net"));
        }
        root_.write(directory + "/pid", std::to_string(pid));
    }
    void end(int pid) const { std::filesystem::remove_all(root_.path("proc/" + std::to_string(pid))); }

  private:
    container_test::Directory root_;
};

/// Which process of the fixture the descriptor is bound to; 0: none.
int pid_of(int process) {
    return process < 0 ? 0 : std::stoi(read_prefix(process, "pid", 16).value_or("0"));
}

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
    const auto finder = host.finder();
    host.cgroup("/c", "10\n20\n");
    host.process(10, "/c");
    host.process(20, "/c");
    ContainerProcess process;
    CHECK(pid_of(process.refresh(finder, "/c")) == 10);
    const unsigned first = process.generation();
    host.process(5, "/c");
    host.cgroup("/c", "5\n10\n20\n");
    CHECK(pid_of(process.refresh(finder, "/c")) == 10);
    CHECK(process.generation() == first);
    host.end(10);
    host.end(5);
    host.process(10, "/elsewhere");  // the number, but not the process
    CHECK(pid_of(process.refresh(finder, "/c")) == 20);
    CHECK(process.generation() != first);
    host.end(20);
    host.process(20, "/elsewhere");
    CHECK(process.refresh(finder, "/c") == -1);
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
