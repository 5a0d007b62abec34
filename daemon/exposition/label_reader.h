// SPDX-License-Identifier: Apache-2.0
// Reads back what labels.h has rendered. Pure.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll {

/// The value of the label `name` in `labels` (`id="…",name="…"`), unescaped; empty when it is not there.
std::string label_value(std::string_view labels, std::string_view name);

}  // namespace plimsoll
