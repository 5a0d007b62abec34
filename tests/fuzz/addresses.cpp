// SPDX-License-Identifier: Apache-2.0
// Small texts of the configuration: addresses are what they are after writing and reading them again, and
// globs match as a plain description of them says.
#include <algorithm>
#include <string>
#include <utility>

#include "config/connection_address.h"
#include "config/values.h"
#include "containers/glob.h"
#include "core/endpoint.h"
#include "exposition/listen_address.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

void check_addresses(const std::string& text) {
    if (const auto address = parse_address(text)) {
        require(parse_address(to_string(*address)) == address, "an address survives writing");
    }
    if (const auto endpoint = parse_endpoint(text)) {
        require(endpoint->port != 0, "an endpoint has a port");
        require(parse_endpoint(to_string(*endpoint)) == endpoint, "an endpoint survives writing");
        require(!endpoint->address || parse_connection_address(text) ||
                    to_string(*endpoint->address) == "0.0.0.0" || to_string(*endpoint->address) == "::",
                "an endpoint is an address to connect to");
    }
    if (const auto network = parse_network(text)) {
        require(network->bits <= 128 && network->contains(network->first),
                "a network contains its first address");
    }
    if (const auto listen = parse_listen_address(text)) {
        const auto again = parse_listen_address(to_string(*listen));
        require(
            again && again->port == listen->port && again->host == listen->host && again->v6 == listen->v6,
            "an address to listen on survives writing");
    } else {
        require(!listen.error().message.empty(), "a refusal says something");
    }
    if (const auto duration = parse_duration(text)) {
        require(duration->count() >= 0, "no duration is negative");
    }
}

/// The set at the front of a well-formed pattern: whether it has the byte, and how long its text is.
std::pair<bool, std::size_t> in_set(std::string_view pattern, char c) {
    std::size_t i = 1;
    const bool negated = pattern[i] == '!' || pattern[i] == '^';
    i += negated ? 1 : 0;
    bool found = false;
    for (const std::size_t first = i; pattern[i] != ']' || i == first; ++i) {
        const auto low = static_cast<unsigned char>(pattern[i]);
        auto high = low;
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            high = static_cast<unsigned char>(pattern[i += 2]);
        }
        found = found || (static_cast<unsigned char>(c) >= low && static_cast<unsigned char>(c) <= high);
    }
    return {found != negated, i + 1};
}

/// Slow, short, and written from the description: one way after the other.
bool plainly(std::string_view pattern, std::string_view text, bool path) {
    if (pattern.empty()) {
        return text.empty();
    }
    if (pattern[0] == '*') {
        const bool any = !path || pattern.starts_with("**");
        const auto rest = pattern.substr(pattern.starts_with("**") ? 2 : 1);
        return plainly(rest, text, path) ||
               (!text.empty() && (any || text[0] != '/') && plainly(pattern, text.substr(1), path));
    }
    if (text.empty()) {
        return false;
    }
    const bool wild = pattern[0] == '?' || pattern[0] == '[';
    const auto [has, length] = pattern[0] == '[' ? in_set(pattern, text[0]) : std::pair(true, std::size_t{1});
    const bool fits = wild ? has && !(path && text[0] == '/') : pattern[0] == text[0];
    return fits && plainly(pattern.substr(length), text.substr(1), path);
}

void check_glob(std::string_view pattern, std::string_view text) {
    for (const auto kind : {GlobKind::text, GlobKind::path}) {
        const bool matches = Glob(pattern, kind).matches(text);
        const auto stars = std::count(pattern.begin(), pattern.end(), '*');
        if (valid_glob(pattern) && stars <= 4 && text.size() <= 24) {
            require(matches == plainly(pattern, text, kind == GlobKind::path), "a glob matches what it says");
        }
    }
}

}  // namespace

void addresses(std::string_view input) {
    check_addresses(std::string(input));
    Input fields(input);
    const auto pattern = fields.field();
    check_glob(pattern, fields.rest());
}

}  // namespace plimsoll::fuzz
