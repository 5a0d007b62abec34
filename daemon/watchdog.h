// SPDX-License-Identifier: Apache-2.0
// The service manager's watchdog (WatchdogSec= of the unit): the loop reports that it still turns, and
// systemd restarts an agent that does not. Only the loop's own thread may report, or a hung loop would go
// unnoticed.
#pragma once

#include <chrono>

#include "core/error.h"
#include "loop/event_loop.h"

namespace plimsoll {

/// How often to report so that an interval of `timeout` never runs out: several times, since a loop may be
/// late.
std::chrono::nanoseconds watchdog_period(std::chrono::microseconds timeout);

/// Reports from `loop` if the service manager asked this process for it (WATCHDOG_USEC, WATCHDOG_PID).
Result<void> feed_watchdog(EventLoop& loop);

}  // namespace plimsoll
