// SPDX-License-Identifier: Apache-2.0
#include "files/container_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <filesystem>

#include "files/process_files.h"
#include "files/read_prefix.h"

namespace plimsoll {
namespace {

// To find one process: some 2,000 pids of a cgroup, of which so many are tried (all but the last few of a
// busy one may have died since).
constexpr std::size_t kProcsPrefix = 16UL * 1024;
constexpr std::size_t kMostTried = 64;
// To visit all: as many processes as the kernel's default pid_max allows, each with seven digits and a line
// feed.
constexpr std::size_t kMostProcesses = 32'768;
constexpr std::size_t kProcsWhole = kMostProcesses * 8;
constexpr std::size_t kMostCgroups = 4096;
// /proc/PID/cgroup: a path of 4096 bytes for each hierarchy, and there are some 15.
constexpr std::size_t kCgroupFile = 128UL * 1024;

/// None: gone, or a threaded cgroup, whose processes are its domain's.
std::vector<int> pids_of(const std::string& directory, std::size_t limit) {
    const auto text = read_prefix(AT_FDCWD, (directory + "/cgroup.procs").c_str(), limit);
    return text ? parse_pids(*text) : std::vector<int>();
}

std::vector<std::string> children_of(const std::string& directory) {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    std::error_code gone;
    for (fs::directory_iterator it(directory, gone), end; !gone && it != end; it.increment(gone)) {
        std::error_code ignored;
        if (it->symlink_status(ignored).type() == fs::file_type::directory) {
            names.push_back(it->path().filename().string());
        }
    }
    std::ranges::sort(names);
    return names;
}

/// A zombie has a directory and a cgroup still, but no namespaces, files or root any more.
bool is_live(int process) {
    char ignored[64];
    return readlinkat(process, "ns/net", ignored, sizeof ignored) > 0;
}

/// No two processes have the same, though one may get another when the machine is short of memory. 0: none.
std::uint64_t inode_of(const UniqueFd& process) {
    struct stat status{};
    return process && fstat(process.get(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace

bool visit_cgroups(const std::string& top, const std::function<bool(const std::string&)>& visit) {
    std::deque<std::string> waiting{top};
    std::size_t seen = 0;
    while (!waiting.empty()) {
        if (++seen > kMostCgroups) {
            return false;
        }
        const std::string directory = std::move(waiting.front());
        waiting.pop_front();
        if (!visit(directory)) {
            return true;
        }
        for (const auto& name : children_of(directory)) {
            waiting.push_back(directory + "/" + name);
        }
    }
    return true;
}

Result<void> may_look_into_processes() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (syscall(SYS_capget, &header, data.data()) == 0 &&
        (data[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE)) == 0) {
        return fail("the agent needs CAP_SYS_PTRACE to look into the processes of containers");
    }
    return {};
}

ProcessFinder::ProcessFinder(const CgroupLayout& layout, std::string proc_root)
    : mount_(layout.mount),
      controller_(layout.v2 ? "" : layout.controller),
      proc_root_(std::move(proc_root)) {}

UniqueFd ProcessFinder::open_process(int pid) const {
    const std::string path = proc_root_ + "/" + std::to_string(pid);
    return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// The number is looked up before it is checked that this process belongs to the cgroup, so one that was
/// reused in between is refused.
UniqueFd ProcessFinder::find(std::string_view cgroup) const {
    UniqueFd found;
    std::size_t tried = 0;
    visit_cgroups(mount_ + std::string(cgroup), [&](const std::string& directory) {
        for (const int pid : pids_of(directory, kProcsPrefix)) {
            UniqueFd process = open_process(pid);
            if (process && belongs(process.get(), cgroup)) {
                found = std::move(process);
                return false;
            }
            if (++tried == kMostTried) {
                return false;
            }
        }
        return true;
    });
    return found;
}

bool ProcessFinder::belongs(int process, std::string_view cgroup) const {
    const auto text = read_prefix(process, "cgroup", kCgroupFile);
    return text && is_within(path_in(*text, controller_), cgroup) && is_live(process);
}

bool ProcessFinder::for_each(std::string_view cgroup, const std::function<void(int)>& visit) const {
    std::size_t seen = 0;
    const bool all = visit_cgroups(mount_ + std::string(cgroup), [&](const std::string& directory) {
        const auto pids = pids_of(directory, kProcsWhole);
        seen += pids.size();
        if (seen >= kMostProcesses) {
            return false;
        }
        for (const int pid : pids) {
            if (const UniqueFd process = open_process(pid); process && belongs(process.get(), cgroup)) {
                visit(process.get());
            }
        }
        return true;
    });
    return all && seen < kMostProcesses;
}

ContainerProcesses::Process ContainerProcesses::of(Handle container, std::string_view cgroup, Rest rest) {
    Known& known = known_[container];
    const bool same_rest = std::exchange(known.rest, rest) == rest && rest != kNoRest;
    const bool fresh = std::exchange(known.sample, sample_) == sample_ || same_rest;
    if (known.directory && fresh) {
        return {known.directory.get(), known.identity};
    }
    known.knows_network = false;
    if (known.directory && finder_.belongs(known.directory.get(), cgroup)) {
        return {known.directory.get(), known.identity};
    }
    passing_ = finder_.find(cgroup);
    known.identity = inode_of(passing_);
    known.directory.keep(passing_, budget_);
    return {known.directory ? known.directory.get() : passing_.get(), known.identity};
}

std::optional<NamespaceId> ContainerProcesses::network(Handle container, std::string_view cgroup, Rest rest) {
    const int process = of(container, cgroup, rest).directory;
    Known& known = known_.at(container);
    if (!std::exchange(known.knows_network, true)) {
        known.network = process < 0 ? std::nullopt : network_of(process);
    }
    return known.network;
}

void ContainerProcesses::end_sample() {
    passing_.reset();
    std::erase_if(known_, [&](const auto& entry) { return entry.second.sample != sample_; });
    ++sample_;
}

}  // namespace plimsoll
