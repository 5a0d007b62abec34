// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mountinfo: what is mounted where, as one process sees it. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// A line; blanks, tabs, line feeds and backslashes in its fields are what they are again.
struct Mount {
    std::string number;   ///< of the device: "253:1"
    std::string root;     ///< the directory of the file system that is mounted; "/": all of it
    std::string point;    ///< relative to the process's root
    std::string type;     ///< "ext4", "overlay", "fuse.sshfs"
    std::string source;   ///< "/dev/vda1", "tmpfs", "rpool/data"
    std::string options;  ///< of the file system, as written: values have their commas escaped still
};

std::optional<Mount> parse_mount(std::string_view line);

/// What is mounted on the process's root: the last such line, it covers those before.
std::optional<Mount> root_mount(std::string_view mountinfo);

/// The mount that an absolute path without symbolic links is on.
std::optional<Mount> mount_of(std::string_view mountinfo, std::string_view path);

/// The values of an option of the file system: of "upperdir" at most one, of "lowerdir" as many as there are
/// layers.
std::vector<std::string> mount_option(const Mount& mount, std::string_view name);

/// Whether its file system may keep a caller waiting for as long as it likes, because it asks somebody else:
/// a server, a process, other nodes.
bool is_remote(std::string_view type);

/// What cAdvisor calls the file system in label `device`: where it is mounted from, or how it is called where
/// that says nothing.
std::string device_name(const Mount& mount);

}  // namespace plimsoll
