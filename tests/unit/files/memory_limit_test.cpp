// SPDX-License-Identifier: Apache-2.0
// How much memory the agent itself may use: the smallest limit on the way up, in either version's files.
#include <catch2/catch.hpp>

#include "../containers/fixture.h"
#include "files/memory_limit.h"

using namespace plimsoll;

namespace {

class Host {
  public:
    CgroupLayout layout(bool v2) const {
        CgroupLayout layout;
        layout.all.push_back(
            {root.path("cgroup"), v2, v2 ? std::vector<std::string>{} : std::vector<std::string>{"memory"}});
        return layout;
    }
    void own_cgroup(const std::string& path) const {
        root.write("proc/self/cgroup", "4:memory:" + path + "\n0::" + path + "\n");
    }
    void limit(const std::string& path, const std::string& file, const std::string& text) const {
        root.write("cgroup" + path + "/" + file, text + "\n");
    }
    std::optional<MemoryLimit> found(bool v2) const {
        return own_memory_limit(layout(v2), root.path("proc"));
    }

    container_test::Directory root;
};

}  // namespace

TEST_CASE("the smallest limit of the agent's cgroup and those around it holds") {
    const Host host;
    host.own_cgroup("/system.slice/plimsoll.service");
    for (const bool v2 : {true, false}) {
        const std::string file = v2 ? "memory.max" : "memory.limit_in_bytes";
        const std::string none = v2 ? "max" : "9223372036854771712";
        host.limit("/system.slice/plimsoll.service", file, none);
        CHECK(host.found(v2).value_or(MemoryLimit{UINT64_MAX, ""}).bytes > std::uint64_t{1} << 60);
        host.limit("/system.slice", file, "73400320");
        CHECK(host.found(v2).value().bytes == 73400320);
        host.limit("/system.slice/plimsoll.service", file, "83886080");
        CHECK(host.found(v2).value().file == host.root.path("cgroup/system.slice/" + file));
    }
}

TEST_CASE("a limit that cannot be read is none") {
    const Host host;
    CHECK_FALSE(host.found(true));
    host.own_cgroup("/a");
    CHECK_FALSE(host.found(true));
    host.limit("/a", "memory.max", "plenty");
    CHECK_FALSE(host.found(true));
}

TEST_CASE("more CPUs and more containers need more memory") {
    CHECK(memory_needed(770, 4) > memory_needed(770, 2));
    CHECK(memory_needed(1000, 2) > memory_needed(770, 2));
}
