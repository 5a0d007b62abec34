// SPDX-License-Identifier: Apache-2.0
// Reads the JSON files that runtimes and their users wrote, trusting nothing in them. Nothing here throws or
// blocks: what is missing, too big, too deep or garbled reads as absent. Any thread.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace plimsoll {

/// The whole content of a regular file of at most 4 MiB. Devices and FIFOs are never opened, links are
/// followed.
std::optional<std::string> read_bounded_file(const std::string& path);

/// A number that changes when one of the files does, appears or vanishes: from what stat() tells, nothing is
/// read. `before`: the version of what comes before them in a longer list.
std::uint64_t version_of(std::span<const std::string> paths, std::uint64_t before = 0);

/// Well-formed JSON nested at most 64 deep.
std::optional<nlohmann::json> parse_bounded_json(std::string_view text);

std::optional<nlohmann::json> read_json_file(const std::string& path);

/// The member of an object; null when there is none or `value` is something else or null.
const nlohmann::json* member(const nlohmann::json* value, std::string_view key);

inline constexpr std::size_t kMaxJsonString = 1024;

/// The value when it is a string of at most `limit` bytes, else "".
std::string bounded_string(const nlohmann::json* value, std::size_t limit = kMaxJsonString);

/// The member when it is a string of at most `limit` bytes, else "".
std::string string_member(const nlohmann::json* value, std::string_view key,
                          std::size_t limit = kMaxJsonString);

/// Adds the members of an object that are strings of at most 1024 bytes; stops at 256 labels.
void add_labels(std::map<std::string, std::string>& labels, const nlohmann::json* value);

}  // namespace plimsoll
