// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include <systemd/sd-daemon.h>

namespace plimsoll {

std::chrono::nanoseconds watchdog_period(std::chrono::microseconds timeout) {
    constexpr int kReportsInTime = 4;  // sd_watchdog_enabled(3) asks for two
    return std::chrono::nanoseconds(timeout) / kReportsInTime;
}

Result<void> feed_watchdog(EventLoop& loop) {
    std::uint64_t timeout_us = 0;
    const int wanted = sd_watchdog_enabled(0, &timeout_us);
    if (wanted < 0) {
        return fail_errno("the watchdog that the service manager asks for (WATCHDOG_USEC, WATCHDOG_PID)",
                          wanted);
    }
    if (wanted == 0) {
        return {};
    }
    return loop.every(watchdog_period(std::chrono::microseconds(timeout_us)),
                      [] { sd_notify(0, "WATCHDOG=1"); });
}

}  // namespace plimsoll
