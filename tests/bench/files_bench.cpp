// SPDX-License-Identifier: Apache-2.0
// What reading a cgroup's file costs: through a kept descriptor, opened below a kept directory, opened by its
// whole path; and the kernel memory that a kept descriptor holds. For docs/decisions/0008. Needs root.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <ranges>
#include <string>
#include <vector>

#include "containers/cgroup_tree.h"
#include "files/read_file.h"
#include "probes/cgroup_probe.h"

namespace plimsoll {
namespace {

constexpr int kRounds = 5;
constexpr int kRepetitions = 20'000;
constexpr std::size_t kDescriptors = 5'000;
constexpr std::size_t kContainers = 1'000;
constexpr int kSamples = 5;
/// As deep as a pod's container.
const std::string kBelow =
    "/plimsoll-bench.slice/burstable.slice/pod0a1b2c3d-0000-0000-0000-0123456789ab.slice/"
    "cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope";

/// The fastest of some rounds: the others were disturbed.
template <typename Read>
double nanoseconds_per(Read read, int repetitions = kRepetitions) {
    double best = 1e18;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < repetitions; ++i) {
            read();
        }
        const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
        best = std::min(best, took.count() / repetitions);
    }
    return best;
}

std::int64_t slab_bytes() {
    std::ifstream meminfo("/proc/meminfo");
    for (std::string line; std::getline(meminfo, line);) {
        if (line.starts_with("Slab:")) {
            return std::stoll(line.substr(5)) * 1024;
        }
    }
    return 0;
}

/// Opens the file many times, reads each when asked to, and says what one costs.
double kernel_bytes_per_descriptor(const std::string& path, bool read) {
    FileReader reader;
    std::vector<UniqueFd> kept;
    kept.reserve(kDescriptors);
    const std::int64_t before = slab_bytes();
    for (std::size_t i = 0; i < kDescriptors; ++i) {
        kept.emplace_back(open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (read) {
            reader.read(kept.back().get());
        }
    }
    return static_cast<double>(slab_bytes() - before) / static_cast<double>(kDescriptors);
}

/// Cgroups at one path in every hierarchy, removed at the end.
class Cgroups {
  public:
    explicit Cgroups(const CgroupLayout& layout) : layout_(layout) {}
    Cgroups(const Cgroups&) = delete;
    Cgroups& operator=(const Cgroups&) = delete;
    ~Cgroups() {
        for (const auto& path : made_ | std::views::reverse) {
            rmdir(path.c_str());
        }
    }
    void make(const std::string& below) {
        for (std::size_t end = below.find('/', 1);; end = below.find('/', end + 1)) {
            for (const auto& hierarchy : layout_.all) {
                const std::string path = hierarchy.mount + below.substr(0, end);
                if (mkdir(path.c_str(), 0755) == 0) {
                    made_.push_back(path);
                }
            }
            if (end == std::string::npos) {
                return;
            }
        }
    }

  private:
    const CgroupLayout& layout_;
    std::vector<std::string> made_;
};

/// What a sample of all probes that read files takes for each of many idle containers.
void measure_probes(const CgroupLayout& layout, Cgroups& cgroups, DescriptorBudget* budget,
                    const char* label) {
    std::vector<std::string> paths;
    std::vector<SampledContainer> containers;
    for (std::size_t i = 0; i < kContainers; ++i) {
        paths.push_back(kBelow + std::to_string(i));
        cgroups.make(paths.back());
    }
    for (const auto& path : paths) {
        containers.push_back({.index = static_cast<std::uint32_t>(containers.size()),
                              .handle = containers.size() + 1,
                              .slots = {},
                              .cgroup = path,
                              .cgroup_id = id_of(layout, path).value_or(0),
                              .since_ns = 0});
    }
    double sum = 0;
    for (const auto& probe : make_probes()) {
        auto* reader = dynamic_cast<ReadsFiles*>(probe.get());
        if (reader == nullptr) {
            continue;
        }
        reader->open({layout, budget});
        const double took = nanoseconds_per(
            [&] {
                Snapshot snapshot;
                snapshot.containers.resize(containers.size());
                SampleWriter writer(snapshot);
                probe->sample({1, containers, {}}, writer);
            },
            kSamples);
        sum += took;
        std::printf("files_probe_%s_%s_us_per_container %.2f\n", std::string(probe->name()).c_str(), label,
                    took / kContainers / 1000);
    }
    std::printf("files_probes_%s_us_per_container %.2f\n", label, sum / kContainers / 1000);
}

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
    const std::size_t limit = raise_descriptor_limit();
    const auto layout = detect_layout();
    if (!layout || geteuid() != 0) {
        std::fprintf(stderr, "files_bench: needs root and a cgroup hierarchy\n");
        return 1;
    }
    Cgroups cgroups(*layout);
    cgroups.make(kBelow);
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
    DescriptorBudget budget(limit), none(0);
    measure_probes(*layout, cgroups, &budget, "kept");
    measure_probes(*layout, cgroups, &none, "by_path");
    return 0;
}

}  // namespace
}  // namespace plimsoll

int main() {
    return plimsoll::run();
}
