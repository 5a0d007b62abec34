// SPDX-License-Identifier: Apache-2.0
// The process's log: spdlog, as text or JSON lines on standard error, or to the journal.
#pragma once

#include "config/config.h"

namespace plimsoll {

void start_log(LogLevel level, LogFormat format);

}  // namespace plimsoll
