// SPDX-License-Identifier: Apache-2.0
// Fixture trees: cgroup directories and a /proc with the stat files of their processes.
#include "containers/start_time.h"

#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "fixture.h"

namespace plimsoll {
namespace {

class Host {
  public:
    Host() { layout_.mount = root_.path("cgroup"); }
    void cgroup(const std::string& path, const std::string& pids) const {
        root_.write("cgroup" + path + "/cgroup.procs", pids);
    }
    void make(const std::string& path) const {
        std::filesystem::create_directories(root_.path("cgroup" + path));
    }
    void process(int pid, std::uint64_t seconds) const {
        const auto ticks = seconds * static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
        root_.write("proc/" + std::to_string(pid) + "/stat",
                    "9 (a name) with) 1) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(ticks) +
                        " 0 0\n");
    }
    /// In seconds; 0: not known.
    std::uint64_t oldest(const std::string& path) const {
        return oldest_process_ns(layout_, path, root_.path("proc")).value_or(0) / 1'000'000'000;
    }

  private:
    container_test::Directory root_;
    CgroupLayout layout_;
};

TEST_CASE("a container is as old as the oldest process in it or nested in it") {
    const Host host;
    host.cgroup("/c", "10\n11\n");
    host.cgroup("/c/below/deep", "12\n13\n");  // 13 has ended
    host.process(10, 700);
    host.process(11, 500);
    CHECK(host.oldest("/c") == 500);
    host.process(12, 300);
    CHECK(host.oldest("/c") == 300);
    CHECK(host.oldest("/c/below/deep") == 300);
    CHECK(host.oldest("/never") == 0);
}

TEST_CASE("a container of countless cgroups is looked through to a limit, those on top first") {
    const Host host;
    host.process(10, 700);
    host.process(11, 300);
    host.cgroup("/c", "");
    host.cgroup("/c/a", "10\n");
    for (int number = 0; number < 5000; ++number) {
        host.make("/c/b" + std::to_string(number));
    }
    host.cgroup("/c/z", "11\n");
    CHECK(host.oldest("/c") == 700);
}

}  // namespace
}  // namespace plimsoll
