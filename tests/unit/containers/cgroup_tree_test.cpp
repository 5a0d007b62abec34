// SPDX-License-Identifier: Apache-2.0
#include "containers/cgroup_tree.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "fixture.h"

using namespace plimsoll;
using container_test::Directory;

namespace {

constexpr auto kOther = "22 1 0:20 / /proc rw - proc proc rw\n";
constexpr auto kUnified =
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr auto kNamed = "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
constexpr auto kCpu = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";
constexpr auto kMemory = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

Result<CgroupLayout> layout_of(const std::string& mountinfo) {
    const Directory proc;
    proc.write("self/mountinfo", mountinfo);
    return detect_layout(proc.path());
}

}  // namespace

TEST_CASE("cgroup2 identifies containers wherever it is mounted") {
    const auto layout = layout_of(std::string(kOther) + kMemory + kCpu + kNamed + kUnified);
    REQUIRE(layout);
    CHECK(layout->mount == "/sys/fs/cgroup/unified");
    CHECK(layout->v2);
    CHECK(layout->controller.empty());
    CHECK(layout->all.size() == 4);
    REQUIRE(layout->with_controller("cpuacct"));
    CHECK(layout->with_controller("cpuacct")->mount == "/sys/fs/cgroup/cpu,cpuacct");
    CHECK(layout->with_controller("name=systemd"));
    CHECK_FALSE(layout->with_controller("pids"));
}

TEST_CASE(
    "without cgroup2 a v1 controller identifies containers, memory first, never systemd's own hierarchy") {
    const auto both = layout_of(std::string(kNamed) + kCpu + kMemory);
    REQUIRE(both);
    CHECK(both->mount == "/sys/fs/cgroup/memory");
    CHECK_FALSE(both->v2);
    CHECK(both->controller == "memory");
    const auto cpu = layout_of(std::string(kNamed) + kCpu);
    REQUIRE(cpu);
    CHECK(cpu->controller == "cpuacct");
    CHECK(cpu->mount == "/sys/fs/cgroup/cpu,cpuacct");
}

TEST_CASE("without a usable hierarchy there is one sentence that says what to do") {
    for (const std::string& mountinfo : {std::string(), std::string(kOther), std::string(kNamed)}) {
        const auto layout = layout_of(mountinfo);
        REQUIRE_FALSE(layout);
        CHECK(layout.error().message.find("mount -t cgroup2") != std::string::npos);
        CHECK(layout.error().message.find('\n') == std::string::npos);
    }
    CHECK_FALSE(detect_layout("/nonexistent"));
}

TEST_CASE("mount points are unescaped, and of several mounts the whole hierarchy is taken") {
    const auto layout = layout_of(
        "1 1 0:1 /docker/abc /inner rw - cgroup2 none rw\n"
        "2 1 0:1 / /my\\040cgroups\\134 rw - cgroup2 none rw\n"
        "3 1 0:1 / /again rw - cgroup2 none rw\n");
    REQUIRE(layout);
    CHECK(layout->mount == "/my cgroups\\");
    CHECK(layout->all.size() == 1);
}

TEST_CASE("a hierarchy that was mounted from a source without a name is one") {
    const auto layout = layout_of("1 1 0:1 / /memory rw - cgroup  rw,memory\n");
    REQUIRE(layout);
    CHECK(layout->controller == "memory");
}

TEST_CASE("garbled lines of mountinfo are passed over") {
    CHECK(layout_of(std::string("garbage\n - \n1 2 - cgroup2\n1 1 0:1 / \\0 - cgroup\n") + kUnified));
}

TEST_CASE("a walk visits every directory once, parents first, with its inode number") {
    const Directory tree;
    for (const auto* path : {"a/b/c", "a/d", "e"}) {
        std::filesystem::create_directories(tree.path(path));
    }
    tree.write("a/cgroup.procs", "");
    std::filesystem::create_directory_symlink(tree.path("a"), tree.path("link"));
    CgroupLayout layout;
    layout.mount = tree.path();

    std::set<std::string> seen;
    const auto result = walk(layout, [&](std::string_view path, std::uint64_t id) {
        const auto parent = path.substr(0, path.rfind('/'));
        CHECK((path == "/" || seen.contains(std::string(parent.empty() ? "/" : parent))));
        CHECK(seen.insert(std::string(path)).second);
        CHECK(id_of(layout, path) == id);
    });
    REQUIRE(result);
    CHECK(seen == std::set<std::string>{"/", "/a", "/a/b", "/a/b/c", "/a/d", "/e"});
    CHECK(result->visited == 6);
    CHECK(result->skipped == 0);
}

TEST_CASE("a walk survives directories that vanish while it runs") {
    const Directory tree;
    for (const auto* path : {"a/x", "b/x", "c/x"}) {
        std::filesystem::create_directories(tree.path(path));
    }
    CgroupLayout layout;
    layout.mount = tree.path();
    bool removed = false;
    const auto result = walk(layout, [&](std::string_view path, std::uint64_t) {
        for (const auto* name : {"a", "b", "c"}) {
            if (path != "/" && !removed) {
                std::filesystem::remove_all(tree.path(name));
            }
        }
        removed = removed || path != "/";
    });
    REQUIRE(result);
    CHECK(result->visited == 2);
    CHECK(result->skipped == 0);
}

TEST_CASE("a walk stops at 256 levels and counts what it left out") {
    const Directory tree;
    std::string path = tree.path();
    for (int i = 0; i < 260; ++i) {
        path += "/d";
    }
    std::filesystem::create_directories(path);
    CgroupLayout layout;
    layout.mount = tree.path();
    const auto result = walk(layout, [](std::string_view, std::uint64_t) {});
    REQUIRE(result);
    CHECK(result->visited == 256);
    CHECK(result->skipped == 1);
}

TEST_CASE("what is not there has no id, no path, and fails the walk with its name") {
    CgroupLayout layout;
    layout.mount = "/nonexistent";
    CHECK_FALSE(id_of(layout, "/"));
    CHECK_FALSE(path_of(layout, 1));
    const auto result = walk(layout, [](std::string_view, std::uint64_t) {});
    REQUIRE_FALSE(result);
    CHECK(result.error().message == "open /nonexistent: No such file or directory");
    const Directory tree;
    tree.write("file", "");
    layout.mount = tree.path();
    CHECK_FALSE(id_of(layout, "/file"));
    CHECK_FALSE(id_of(layout, "relative"));
}
