// SPDX-License-Identifier: Apache-2.0
#include "containers/start_time.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

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
    namespace fs = std::filesystem;
    std::optional<std::uint64_t> oldest;
    std::size_t seen = 0;
    const auto look = [&](const fs::path& directory) {
        std::ifstream processes(directory / "cgroup.procs");
        for (std::string pid; processes >> pid && seen < kMostProcesses; ++seen) {
            const auto started = started_ns(proc_root + "/" + pid + "/stat");
            if (started && (!oldest || *started < *oldest)) {
                oldest = started;
            }
        }
    };
    const fs::path top = layout.mount + cgroup;
    look(top);
    std::error_code gone;
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator it(top, options, gone), end; !gone && it != end;
         it.increment(gone)) {
        std::error_code ignored;
        if (it->is_directory(ignored)) {
            look(it->path());
        }
    }
    return oldest;
}

}  // namespace plimsoll
