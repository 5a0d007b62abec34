// SPDX-License-Identifier: Apache-2.0
// What a cgroup's path alone reveals about the container it is or belongs to. Pure, total on any bytes, any
// thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "containers/container.h"

namespace plimsoll {

/// The innermost container on a path.
struct PathMatch {
    Runtime runtime = Runtime::cgroup;  ///< `kubernetes` when a pod is certain but who runs it is not
    std::string id;          ///< the runtime's id; for LXC, nspawn and systemd the machine's or unit's name
    std::string name;        ///< the machine's or unit's name, unescaped; empty where the path has none
    std::string pod_uid;     ///< of the Kubernetes pod that holds it, with dashes; empty outside of pods
    std::string user;        ///< digits of the uid whose user manager holds it; empty for the system's
    bool candidate = false;  ///< only plausible: a container when one of the runtime's files confirms it
    bool exact = true;       ///< the path is the container itself; false: it is a cgroup below it
    std::size_t length = 0;  ///< how many bytes of the path name the container itself
};

/// `path` is the path below the hierarchy's root, with a leading '/'. Nothing: not in a container that a path
/// reveals.
std::optional<PathMatch> match_path(std::string_view path);

/// Replaces `\xHH` as systemd writes it in unit and cgroup names. What is no such escape stays as it is.
std::string unescape_unit(std::string_view text);

}  // namespace plimsoll
