// SPDX-License-Identifier: Apache-2.0
// The one clock that users and kernel programs share: CLOCK_BOOTTIME, which goes on during suspend.
#pragma once

#include <ctime>

#include <cstdint>

namespace plimsoll {

/// Nanoseconds since boot, suspend included; what bpf_ktime_get_boot_ns() returns in the kernel.
inline std::uint64_t boot_time_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// The moment of CLOCK_BOOTTIME as nanoseconds of the wall clock's epoch, as the wall clock stands now.
inline std::uint64_t unix_time_ns(std::uint64_t boot_ns) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const auto unix_now =
        static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
    return unix_now - (boot_time_ns() - boot_ns);
}

}  // namespace plimsoll
