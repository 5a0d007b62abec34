// SPDX-License-Identifier: Apache-2.0
// How much memory the agent itself may use, and whether that will do. Kernel maps are charged to the same
// limit; without enough of it the kernel kills the process in the middle of its start, and nothing says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "containers/cgroup_tree.h"
#include "core/error.h"

namespace plimsoll {

struct MemoryLimit {
    std::uint64_t bytes;
    std::string file;  ///< that sets it
};

/// The smallest limit of the agent's own cgroup and of those around it; nothing: there is none that can be
/// read.
std::optional<MemoryLimit> own_memory_limit(const CgroupLayout& layout,
                                            const std::string& proc_root = "/proc");

/// What a start takes at its peak, kernel maps included, before the first page of many containers.
std::uint64_t memory_needed(std::uint32_t slots, unsigned cpus);

/// An error says how much is needed, and where the limit is.
Result<void> has_memory_for(std::uint32_t slots, unsigned cpus, const CgroupLayout& layout);

}  // namespace plimsoll
