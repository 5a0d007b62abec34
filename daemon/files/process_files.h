// SPDX-License-Identifier: Apache-2.0
// The forms of the files of /proc/PID, and of a cgroup's list of processes. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace plimsoll {

/// The processes that cgroup.procs lists, in ascending order (the kernel's own order is that of their
/// coming). Left out: 0, which stands for a process that our pid namespace cannot see, and a last line that
/// is cut off.
std::vector<int> parse_pids(std::string_view text);

/// The path of one hierarchy in the text of /proc/PID/cgroup, lines of `number:controllers:path`; empty: it
/// is not there. `controller`: empty for cgroup v2.
std::string_view path_in(std::string_view text, std::string_view controller);

/// Whether a cgroup's path is that of `cgroup` or of one below it.
bool is_within(std::string_view path, std::string_view cgroup);

/// When the process of a line of /proc/PID/stat was started, in ticks since boot.
std::optional<std::uint64_t> parse_start_ticks(std::string_view stat);

/// What a device's uevent file calls it, "sda"; empty: nothing.
std::string_view device_in(std::string_view uevent);

}  // namespace plimsoll
