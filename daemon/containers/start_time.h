// SPDX-License-Identifier: Apache-2.0
// When a process began, and a container that is older than the agent. The kernel keeps no time of birth of a
// cgroup, so it is that of its oldest process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "containers/cgroup_tree.h"

namespace plimsoll {

/// CLOCK_BOOTTIME in nanoseconds, to the hundredth of a second, from /proc/PID/stat; nothing when that cannot
/// be read.
std::optional<std::uint64_t> process_start_ns(const std::string& stat_path);

/// The same of a cgroup's oldest process; nothing for a cgroup without processes. Reads
/// /proc/PID/stat of each process of the cgroup and what is nested in it, down to a limit of either.
std::optional<std::uint64_t> oldest_process_ns(const CgroupLayout& layout, const std::string& cgroup,
                                               const std::string& proc_root = "/proc");

}  // namespace plimsoll
