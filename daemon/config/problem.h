// SPDX-License-Identifier: Apache-2.0
// A problem of a configuration file and where it is. Reading goes on after a problem, so that one run reports
// all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

/// Both count from 1; columns count bytes, as compilers and editors that jump to them do.
struct Position {
    int line = 1;
    int column = 1;

    auto operator<=>(const Position&) const = default;
};

struct Problem {
    Position at;
    std::string text;  ///< what is wrong, what is allowed
};

using Problems = std::vector<Problem>;

/// The text as a message may carry it: in quotes, control characters escaped, cut off after 60 bytes.
std::string quoted(std::string_view text);

/// "a, b, c"
std::string joined(const std::vector<std::string_view>& words);

}  // namespace plimsoll
