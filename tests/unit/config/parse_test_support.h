// SPDX-License-Identifier: Apache-2.0
// What the tests of the configuration share: parsing a text, and getting its errors as one comparable list.
#pragma once

#include <catch2/catch.hpp>
#include <string_view>

#include "config/load.h"

namespace plimsoll::config_test {

/// The configuration that the text stands for, which must be valid.
inline Config parsed(std::string_view text) {
    const auto config = parse_config(text, "c.yaml");
    for (const auto& line : config ? ConfigErrors{} : config.error())
        UNSCOPED_INFO(line);
    REQUIRE(config.has_value());
    return *config;
}

/// The errors of the text, which must have some.
inline ConfigErrors errors_of(std::string_view text) {
    const auto config = parse_config(text, "c.yaml");
    REQUIRE_FALSE(config.has_value());
    return config.error();
}

}  // namespace plimsoll::config_test
