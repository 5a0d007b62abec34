// SPDX-License-Identifier: Apache-2.0
// Which changes of the configuration a running agent cannot take.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace plimsoll {

/// The keys that differ and have their effect at a start only, because the kernel's maps and programs are
/// made for them then. Pure.
std::vector<std::string> fixed_until_restart(const Config& now, const Config& next);

}  // namespace plimsoll
