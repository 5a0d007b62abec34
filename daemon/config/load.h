// SPDX-License-Identifier: Apache-2.0
// Reads the configuration, strictly: everything that is wrong with it is reported, all in one go. Used at
// start-up and by the commands; safe to call from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace plimsoll {

/// One line per problem, in the order of the file: "file:line:column: what is wrong; allowed: what is". A
/// file that cannot be read at all gives one line without a position.
using ConfigErrors = std::vector<std::string>;

/// Pure. An empty text means default_config(). `file_name` is for the messages only.
std::expected<Config, ConfigErrors> parse_config(std::string_view text, std::string_view file_name);

/// Reads only regular files (also through symbolic links) of at most 64 KiB, and never waits for one.
std::expected<Config, ConfigErrors> load_config(const std::string& path);

}  // namespace plimsoll
