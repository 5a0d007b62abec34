// SPDX-License-Identifier: Apache-2.0
// The cgroup hierarchies of this host: where they are mounted, which one tells containers apart, and what
// directories it has. A cgroup id is the inode number of the cgroup's directory. Stateless; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace plimsoll {

struct CgroupHierarchy {
    std::string mount;  ///< where it is mounted
    bool v2 = false;
    std::vector<std::string> controllers;  ///< v1: "memory", "cpu", …, "name=systemd"; empty for v2
};

struct CgroupLayout {
    std::string mount;  ///< of the hierarchy whose cgroups are the containers
    bool v2 = false;
    std::string controller;  ///< v1: the controller by which the kernel side finds that hierarchy
    std::vector<CgroupHierarchy> all;

    /// Where a v1 controller is mounted; null when it is not (it may be one of the v2 hierarchy's).
    const CgroupHierarchy* with_controller(std::string_view name) const;
};

/// From PROC/self/mountinfo. cgroup2 wherever it is mounted, else the v1 hierarchy of the first of memory,
/// cpuacct, cpu, pids, devices, freezer. systemd's named hierarchy has no controller for the kernel side to
/// find it by.
Result<CgroupLayout> detect_layout(const std::string& proc_root = "/proc");

/// The same from the text of mountinfo; `path` is for the message only. Pure.
Result<CgroupLayout> layout_in(std::string_view mountinfo, const std::string& path);

struct WalkResult {
    std::size_t visited = 0;
    std::size_t skipped = 0;  ///< directories that exist but could not be opened, or lie beyond a limit
};

/// Calls back for each directory of the identifying hierarchy, the root ("/") first, parents before children.
/// At most 256 levels and 1,000,000 directories; one that vanishes meanwhile is passed over.
using WalkCallback = std::function<void(std::string_view path, std::uint64_t cgroup_id)>;
Result<WalkResult> walk(const CgroupLayout& layout, const WalkCallback& callback);

/// The path of the cgroup that has this id now. Needs CAP_DAC_READ_SEARCH.
std::optional<std::string> path_of(const CgroupLayout& layout, std::uint64_t cgroup_id);

std::optional<std::uint64_t> id_of(const CgroupLayout& layout, std::string_view path);

}  // namespace plimsoll
