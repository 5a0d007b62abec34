// SPDX-License-Identifier: Apache-2.0
// How many descriptors a process has open, and how many of them are sockets. Any thread.
#pragma once

#include <cstdint>
#include <optional>

namespace plimsoll {

struct OpenDescriptors {
    std::uint64_t all = 0;
    std::uint64_t sockets = 0;
};

/// Through the directory /proc/PID. A process that has ended has none; nothing when it may not be looked at.
std::optional<OpenDescriptors> count_open_descriptors(int process);

}  // namespace plimsoll
