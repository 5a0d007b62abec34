// SPDX-License-Identifier: Apache-2.0
#include "containers/start_time.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "files/container_process.h"

namespace plimsoll {
namespace {

constexpr int kStartTimeField = 22;
constexpr std::size_t kMostProcesses = 10'000;

std::optional<std::uint64_t> started_ns(const std::string& stat_path) {
    std::ifstream file(stat_path);
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')');  // the name may hold anything, spaces and parentheses too
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream rest(line.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < kStartTimeField; ++field) {
        rest >> skipped;
    }
    std::uint64_t ticks = 0;
    if (!(rest >> ticks)) {
        return std::nullopt;
    }
    return ticks * (1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

}  // namespace

std::optional<std::uint64_t> oldest_process_ns(const CgroupLayout& layout, const std::string& cgroup,
                                               const std::string& proc_root) {
    std::optional<std::uint64_t> oldest;
    std::size_t seen = 0;
    visit_cgroups(layout.mount + cgroup, [&](const std::string& directory) {
        std::ifstream processes(directory + "/cgroup.procs");
        for (std::string pid; seen < kMostProcesses && processes >> pid; ++seen) {
            const auto started = started_ns(proc_root + "/" + pid + "/stat");
            if (started && (!oldest || *started < *oldest)) {
                oldest = started;
            }
        }
        return seen < kMostProcesses;
    });
    return oldest;
}

}  // namespace plimsoll
