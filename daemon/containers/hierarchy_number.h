// SPDX-License-Identifier: Apache-2.0
// The number that the kernel gives a v1 hierarchy, as its tracepoints tell it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.h"

namespace plimsoll {

/// The hierarchy of a controller, from PROC/cgroups.
Result<std::uint32_t> hierarchy_number(std::string_view controller, const std::string& proc_root = "/proc");

}  // namespace plimsoll
