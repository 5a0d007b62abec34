// SPDX-License-Identifier: Apache-2.0
#include "files/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace plimsoll {
namespace {

// Connections, kernel programs and maps, and a file that is being read.
constexpr std::size_t kReserved = 512;
constexpr std::size_t kSmallestLimit = 1024;

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

KeepableDescriptors keepable_descriptors(std::size_t limit) {
    const std::size_t reserved = std::max(limit / 4, kReserved);
    return limit > reserved ? KeepableDescriptors{limit - reserved, limit / 16} : KeepableDescriptors{};
}

}  // namespace plimsoll
