// SPDX-License-Identifier: Apache-2.0
// Looks at the bytes of a configuration file before the YAML library does. What it refuses is either hostile
// or has no meaning in a configuration: binary data, broken UTF-8, endless lines.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "config/problem.h"

namespace plimsoll {

inline constexpr std::size_t kMaxConfigBytes = 64 * 1024;
inline constexpr std::size_t kMaxLineBytes = 4096;

bool is_utf8(std::string_view text);

/// The first reason why the text must not reach the YAML library, if there is one.
std::optional<Problem> refuse_text(std::string_view text);

}  // namespace plimsoll
