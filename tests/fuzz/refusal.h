// SPDX-License-Identifier: Apache-2.0
// What holds for the refusal of any file that people write for the agent.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/input.h"
#include "unit/exposition/page_parser.h"

namespace plimsoll::fuzz {

inline void check_refusal(const std::vector<std::string>& errors, std::string_view file,
                          std::string_view text) {
    constexpr std::size_t kMost = 101;                      // a hundred, and how many more there are
    const auto lines = std::ranges::count(text, '\n') + 2;  // yaml-cpp may speak of the line behind the last
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    require(!errors.empty() && errors.size() <= kMost, "a refusal has 1 to 101 lines");
    for (const auto& error : errors) {
        require(error.starts_with(std::string(file) + ":"), "a line begins with the file");
        require(std::ranges::none_of(error, is_control), "a line has no control characters");
        require(testing::is_valid_utf8(error), "a line is UTF-8");
        require(error.size() > file.size() + 10, "a line says something");
        Input position(std::string_view(error).substr(file.size() + 1));
        const auto line = position.field(':');
        require(error.ends_with("more problems") || std::stol(std::string(line)) <= lines, "the line exists");
    }
}

}  // namespace plimsoll::fuzz
