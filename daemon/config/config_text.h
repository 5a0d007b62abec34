// SPDX-License-Identifier: Apache-2.0
// What all files that people write for the agent have in common: how they are read, and how their mistakes
// are reported. Safe to call from any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "config/yaml_tree.h"
#include "core/error.h"

namespace plimsoll {

/// One line per problem, in the order of the file: "file:line:column: what is wrong; allowed: what is". A
/// file that cannot be read at all gives one line without a position.
using ConfigErrors = std::vector<std::string>;

/// Pure. Gives `apply` the tree of the text, if it has one, and returns all problems; `file_name` is for the
/// messages only.
ConfigErrors parse_text(std::string_view text, std::string_view file_name,
                        const std::function<void(const Node& root, Problems& problems)>& apply);

/// Reads only regular files (also through symbolic links) of at most `most` bytes, and never waits for one.
Result<std::string> read_regular_file(const std::string& path, std::size_t most);

}  // namespace plimsoll
