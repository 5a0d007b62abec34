// SPDX-License-Identifier: Apache-2.0
// Which keys a configuration has: one table, from which reading, the check for unknown keys and the test of
// config/plimsoll.yaml derive. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/problem.h"
#include "config/yaml_tree.h"

namespace plimsoll {

/// Sets in `config` what the tree sets; everything that is wrong is appended to `problems`.
void apply_tree(const Node& root, Config& config, Problems& problems);

/// All keys, with dots: "web.listen", "probes.ledger.enabled", …
std::vector<std::string_view> known_keys();

}  // namespace plimsoll
