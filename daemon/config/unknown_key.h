// SPDX-License-Identifier: Apache-2.0
// What to say about a key that does not exist. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/problem.h"
#include "config/yaml_tree.h"

namespace plimsoll {

/// The word that differs least from `text`, if a slip of the pen can explain the difference; otherwise empty.
std::string_view closest_word(std::string_view text, const std::vector<std::string_view>& words);

/// Reports the key of `entry`, which is none of `known`. `section` is where it stands, empty at the top.
void refuse_unknown_key(const Node& entry, std::string_view section,
                        const std::vector<std::string_view>& known, Problems& problems);

}  // namespace plimsoll
