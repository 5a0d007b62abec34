// SPDX-License-Identifier: Apache-2.0
// A process of a container, for what the kernel tells by process only (/proc/PID/…). A descriptor of the
// directory /proc/PID stays bound to that very process: when it has died, every look through it fails,
// whoever has its number by then.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "containers/cgroup_tree.h"
#include "core/error.h"
#include "loop/unique_fd.h"

namespace plimsoll {

/// Whether processes of others can be looked into at all: without CAP_SYS_PTRACE their namespaces, roots and
/// descriptors are out of sight, and it would seem that nobody has any.
Result<void> may_look_into_processes();

/// Calls back with the directory of a cgroup and of those below it, breadth first in the order of their names
/// (`init.scope` comes before `system.slice`), until `visit` returns false. False: there are more of them
/// than anybody should look at.
bool visit_cgroups(const std::string& top, const std::function<bool(const std::string&)>& visit);

/// Finds processes of cgroups. Bounded: a container decides how many processes and cgroups it has.
class ProcessFinder {
  public:
    explicit ProcessFinder(const CgroupLayout& layout, std::string proc_root = "/proc");

    /// /proc/PID of a live process of the cgroup or of those below it; of those in one cgroup the lowest pid.
    /// Invalid: none.
    [[nodiscard]] UniqueFd find(std::string_view cgroup) const;

    /// Whether the process behind the descriptor lives, and is in the cgroup or below it: it may have died,
    /// or have been moved elsewhere.
    [[nodiscard]] bool belongs(int process, std::string_view cgroup) const;

    /// Calls back with /proc/PID of each process of the cgroup and of those below it. False: there are more
    /// of them than anybody should look at.
    [[nodiscard]] bool for_each(std::string_view cgroup, const std::function<void(int process)>& visit) const;

  private:
    [[nodiscard]] UniqueFd open_process(int pid) const;

    std::string mount_;
    std::string controller_;  ///< of the hierarchy in /proc/PID/cgroup; empty: v2
    std::string proc_root_;
};

/// The one process that stands for a container.
class ContainerProcess {
  public:
    /// The descriptor of its directory, until the next call; -1 when the container has no live process.
    int refresh(const ProcessFinder& finder, std::string_view cgroup);
    /// Grows with each process that was chosen: what was learnt of another one is void.
    [[nodiscard]] unsigned generation() const { return generation_; }

  private:
    UniqueFd directory_;
    unsigned generation_ = 0;
};

}  // namespace plimsoll
