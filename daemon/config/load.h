// SPDX-License-Identifier: Apache-2.0
// Reads the configuration, strictly: everything that is wrong with it is reported, all in one go. Used at
// start-up and by the commands; safe to call from any thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/config_text.h"

namespace plimsoll {

/// Pure. An empty text means default_config(). `file_name` is for the messages only.
std::expected<Config, ConfigErrors> parse_config(std::string_view text, std::string_view file_name);

/// Reads only regular files (also through symbolic links) of at most 64 KiB, and never waits for one.
std::expected<Config, ConfigErrors> load_config(const std::string& path);

}  // namespace plimsoll
