// SPDX-License-Identifier: Apache-2.0
// Hostile text, character by character: what comes out is valid UTF-8 without control characters. Pure.
#pragma once

#include <string_view>

namespace plimsoll {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

struct Utf8Character {
    std::string_view text;
    bool faithful;  ///< false: the replacement character stands for something else
};

/// Cuts one character off the front of `rest`, which must not be empty. An invalid byte or a control
/// character other than tab and newline (a parser or a terminal may trip over it) becomes the replacement
/// character.
Utf8Character take_character(std::string_view& rest);

}  // namespace plimsoll
