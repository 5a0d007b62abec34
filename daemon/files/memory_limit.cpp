// SPDX-License-Identifier: Apache-2.0
#include "files/memory_limit.h"

#include <fcntl.h>

#include "files/parse.h"
#include "files/process_files.h"
#include "files/read_prefix.h"

namespace plimsoll {
namespace {

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr std::size_t kNumberFile = 64;
constexpr std::size_t kCgroupFile = 128 * kKiB;

const CgroupHierarchy* hierarchy_of_memory(const CgroupLayout& layout) {
    if (const auto* v1 = layout.with_controller("memory")) {
        return v1;
    }
    for (const auto& hierarchy : layout.all) {
        if (hierarchy.v2) {
            return &hierarchy;
        }
    }
    return nullptr;
}

std::uint64_t in_mib(std::uint64_t bytes) {
    return (bytes + kMiB - 1) / kMiB;
}

}  // namespace

std::optional<MemoryLimit> own_memory_limit(const CgroupLayout& layout, const std::string& proc_root) {
    const auto* hierarchy = hierarchy_of_memory(layout);
    const auto text = read_prefix(AT_FDCWD, (proc_root + "/self/cgroup").c_str(), kCgroupFile);
    if (hierarchy == nullptr || !text) {
        return std::nullopt;
    }
    std::string path(path_in(*text, hierarchy->v2 ? "" : "memory"));
    std::optional<MemoryLimit> least;
    while (!path.empty()) {
        const std::string file =
            hierarchy->mount + path + (hierarchy->v2 ? "/memory.max" : "/memory.limit_in_bytes");
        const auto number = read_prefix(AT_FDCWD, file.c_str(), kNumberFile);
        const auto bytes = number ? parse_limit(*number) : std::nullopt;
        if (bytes && *bytes != UINT64_MAX && (!least || *bytes < least->bytes)) {
            least = MemoryLimit{*bytes, file};
        }
        path.resize(path.find_last_of('/'));
    }
    return least;
}

/// Measured with limits of the kernel's; tests/faults/test_memory.py repeats it. The part of each slot is its
/// accounts', most of which there are once for each CPU.
std::uint64_t memory_needed(std::uint32_t slots, unsigned cpus) {
    return 32 * kMiB + slots * (3 * kKiB + cpus * 5 * kKiB / 2);
}

Result<void> has_memory_for(std::uint32_t slots, unsigned cpus, const CgroupLayout& layout) {
    const auto limit = own_memory_limit(layout);
    const std::uint64_t needed = memory_needed(slots, cpus);
    if (!limit || limit->bytes >= needed) {
        return {};
    }
    return fail("the agent may use " + std::to_string(limit->bytes / kMiB) + " MiB of memory (" +
                limit->file + "), and needs " + std::to_string(in_mib(needed)) +
                " MiB on this host: raise the limit (MemoryMax=), or lower " + "containers.max");
}

}  // namespace plimsoll
