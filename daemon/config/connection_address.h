// SPDX-License-Identifier: Apache-2.0
// The addresses of rules with `connects_to`: parsing, and the list of those that a configuration has. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "shared/connections.h"

namespace plimsoll {

/// "10.0.0.5:5432", "[2001:db8::1]:5432", and for any address "*:5432" or ":5432". No names: what they stand
/// for changes, and the kernel knows addresses. Nothing for all else.
std::optional<connection_target> parse_connection_address(std::string_view text);

/// What the include rules name, each once: an address's place here is its number.
std::vector<connection_target> connection_targets(const Config::Containers& config);

/// The number of a rule's address; nothing for a rule without one.
std::optional<std::uint32_t> target_number(const ContainerRule& rule,
                                           const std::vector<connection_target>& targets);

}  // namespace plimsoll
