// SPDX-License-Identifier: Apache-2.0
// What reading a cgroup's file costs: through a kept descriptor, opened below a kept directory, opened by its
// whole path; and the kernel memory that a kept descriptor holds. For docs/decisions/0008. Needs root.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "containers/cgroup_tree.h"
#include "files/read_file.h"

namespace plimsoll {
namespace {

constexpr int kRounds = 5;
constexpr int kRepetitions = 20'000;
constexpr std::size_t kDescriptors = 5'000;
/// As deep as a pod's container.
const std::string kBelow =
    "/plimsoll-bench.slice/burstable.slice/pod0a1b2c3d-0000-0000-0000-0123456789ab.slice/"
    "cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope";

/// The fastest of some rounds: the others were disturbed.
template <typename Read>
double nanoseconds_per(Read read) {
    double best = 1e18;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < kRepetitions; ++i) {
            read();
        }
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / kRepetitions);
    }
    return best;
}

std::uint64_t slab_bytes() {
    std::ifstream meminfo("/proc/meminfo");
    for (std::string line; std::getline(meminfo, line);) {
        if (line.starts_with("Slab:")) {
            return std::stoull(line.substr(5)) * 1024;
        }
    }
    return 0;
}

/// Opens the file many times, reads each when asked to, and says what one costs.
double kernel_bytes_per_descriptor(const std::string& path, bool read) {
    FileReader reader;
    std::vector<UniqueFd> kept;
    kept.reserve(kDescriptors);
    const std::uint64_t before = slab_bytes();
    for (std::size_t i = 0; i < kDescriptors; ++i) {
        kept.emplace_back(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (read) {
            reader.read(kept.back().get());
        }
    }
    return static_cast<double>(slab_bytes() - before) / static_cast<double>(kDescriptors);
}

class Tree {
  public:
    explicit Tree(const CgroupLayout& layout) : layout_(layout) {
        for_each([](const std::string& path) { mkdir(path.c_str(), 0755); }, true);
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() {
        for_each([](const std::string& path) { rmdir(path.c_str()); }, false);
    }

  private:
    template <typename Action>
    void for_each(Action action, bool down) const {
        for (const auto& hierarchy : layout_.all) {
            std::vector<std::string> paths;
            for (std::size_t end = kBelow.find('/', 1);; end = kBelow.find('/', end + 1)) {
                paths.push_back(hierarchy.mount + kBelow.substr(0, end));
                if (end == std::string::npos) {
                    break;
                }
            }
            if (!down) {
                std::ranges::reverse(paths);
            }
            std::ranges::for_each(paths, action);
        }
    }
    const CgroupLayout& layout_;
};

void measure(const std::string& directory, const char* name) {
    const std::string path = directory + "/" + name;
    const UniqueFd parent = open_directory(directory);
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return;
    }
    FileReader reader;
    std::printf("files_%s_ns_kept %.0f\n", name, nanoseconds_per([&] { reader.read(file.get()); }));
    std::printf("files_%s_ns_below_directory %.0f\n", name,
                nanoseconds_per([&] { reader.read_at(parent.get(), name); }));
    std::printf("files_%s_ns_by_path %.0f\n", name,
                nanoseconds_per([&] { reader.read_at(AT_FDCWD, path.c_str()); }));
}

int run() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const auto layout = detect_layout();
    if (!layout || geteuid() != 0) {
        std::fprintf(stderr, "files_bench: needs root and a cgroup hierarchy\n");
        return 1;
    }
    const Tree tree(*layout);
    for (const auto& hierarchy : layout->all) {
        for (const char* name :
             {"cpuacct.usage", "cpuacct.stat", "cpu.stat", "cpu.max", "cpu.shares", "memory.usage_in_bytes",
              "memory.current", "memory.stat", "blkio.throttle.io_serviced_recursive", "io.stat", "pids.max",
              "cpu.pressure"}) {
            measure(hierarchy.mount + kBelow, name);
        }
        const std::string some = hierarchy.mount + kBelow + "/memory.stat";
        if (access(some.c_str(), R_OK) == 0) {
            std::printf("files_kernel_bytes_directory %.0f\n",
                        kernel_bytes_per_descriptor(hierarchy.mount + kBelow, false));
            std::printf("files_kernel_bytes_opened %.0f\n", kernel_bytes_per_descriptor(some, false));
            std::printf("files_kernel_bytes_opened_and_read %.0f\n", kernel_bytes_per_descriptor(some, true));
        }
    }
    return 0;
}

}  // namespace
}  // namespace plimsoll

int main() {
    return plimsoll::run();
}
