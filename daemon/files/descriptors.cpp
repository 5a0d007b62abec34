// SPDX-License-Identifier: Apache-2.0
#include "files/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace plimsoll {
namespace {

// Connections, kernel programs and maps, and a file that is being read.
constexpr std::size_t kReserved = 512;
constexpr std::size_t kSmallestLimit = 1024;
// One in each hierarchy of a v1 or hybrid host that is read; on v2 one for each of five probes.
constexpr std::size_t kDirectories = 6;

}  // namespace

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return kSmallestLimit;
    }
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

/// Of few descriptors most go to directories, because a container without any costs more than one with those
/// alone; the rest to files, so that the first containers have both.
KeepableDescriptors keepable_descriptors(std::size_t limit, std::size_t containers) {
    const std::size_t reserved = std::max(limit / 4, kReserved);
    if (limit <= reserved) {
        return {};
    }
    const std::size_t all = limit - reserved;
    const std::size_t directories = std::min(containers * kDirectories, all / 4 * 3);
    return {all - directories, directories, std::clamp(containers, limit / 16, limit / 8)};
}

}  // namespace plimsoll
