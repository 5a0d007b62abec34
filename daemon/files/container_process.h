// SPDX-License-Identifier: Apache-2.0
// A process of a container, for what the kernel tells by process only (/proc/PID/…). A descriptor of the
// directory /proc/PID stays bound to that very process: when it has died, every look through it fails,
// whoever has its number by then.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "containers/cgroup_tree.h"
#include "core/error.h"
#include "core/rest_watch.h"
#include "core/slot_sums.h"
#include "files/descriptors.h"
#include "files/host_network.h"
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

    [[nodiscard]] const std::string& proc_root() const { return proc_root_; }

  private:
    [[nodiscard]] UniqueFd open_process(int pid) const;

    std::string mount_;
    std::string controller_;  ///< of the hierarchy in /proc/PID/cgroup; empty: v2
    std::string proc_root_;
};

/// The one process that stands for each container; shared by all who look into it. Owned by the daemon, used
/// by the loop thread.
class ContainerProcesses {
  public:
    struct Process {
        int directory;           ///< /proc/PID, until the next call of anything here; -1: no live process
        std::uint64_t identity;  ///< changes with the process: what was learnt of another one is void
    };

    /// `budget`: for what is kept from sample to sample. Beyond it, or when it is null, a process is found
    /// anew whenever it is asked for.
    ContainerProcesses(ProcessFinder finder, DescriptorBudget* budget)
        : finder_(std::move(finder)), budget_(budget) {}

    /// One that is kept is looked at for the first of a sample's calls only, and once in a rest of its
    /// container: who ends, is moved or goes elsewhere does something.
    Process of(Handle container, std::string_view cgroup, Rest rest = kNoRest);
    /// The network namespace of that process; nothing: there is none, or it may not be looked at.
    std::optional<NamespaceId> network(Handle container, std::string_view cgroup, Rest rest = kNoRest);
    /// Lets go of the containers that nobody has asked for since the last call.
    void end_sample();

    [[nodiscard]] const ProcessFinder& finder() const { return finder_; }

  private:
    struct Known {
        KeptFd directory;
        std::uint64_t identity = 0;
        std::uint64_t sample = 0;
        Rest rest = kNoRest;  ///< in which it was looked at
        bool knows_network = false;
        std::optional<NamespaceId> network;
    };

    ProcessFinder finder_;
    DescriptorBudget* budget_;
    std::unordered_map<Handle, Known> known_;
    UniqueFd passing_;  ///< the last one that was found and could not be kept
    std::uint64_t sample_ = 1;
};

}  // namespace plimsoll
