// SPDX-License-Identifier: Apache-2.0
#include "containers/start_time.h"

#include <unistd.h>

#include <fstream>

#include "files/container_process.h"
#include "files/parse.h"
#include "files/process_files.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMostProcesses = 10'000;

}  // namespace

std::optional<std::uint64_t> process_start_ns(const std::string& stat_path) {
    std::ifstream file(stat_path);
    std::string line;
    std::getline(file, line);
    const auto tick_ns = 1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    return scaled(parse_start_ticks(line), tick_ns);
}

std::optional<std::uint64_t> oldest_process_ns(const CgroupLayout& layout, const std::string& cgroup,
                                               const std::string& proc_root) {
    std::optional<std::uint64_t> oldest;
    std::size_t seen = 0;
    visit_cgroups(layout.mount + cgroup, [&](const std::string& directory) {
        std::ifstream processes(directory + "/cgroup.procs");
        for (std::string pid; seen < kMostProcesses && processes >> pid; ++seen) {
            const auto started = process_start_ns(proc_root + "/" + pid + "/stat");
            if (started && (!oldest || *started < *oldest)) {
                oldest = started;
            }
        }
        return seen < kMostProcesses;
    });
    return oldest;
}

}  // namespace plimsoll
