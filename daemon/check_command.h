// SPDX-License-Identifier: Apache-2.0
// `plimsoll check`: what works on this host, what does not, why, and what to do; by the code that the start
// uses.
#pragma once

#include <ostream>

#include "config/config.h"
#include "exposition/security/web_policy.h"

namespace plimsoll {

/// Prints a table for people. Returns 0 when the daemon would start, else 1.
int run_check(const Config& config, const WebPolicy& web, std::ostream& out);

}  // namespace plimsoll
