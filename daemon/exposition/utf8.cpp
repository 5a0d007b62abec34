// SPDX-License-Identifier: Apache-2.0
#include "exposition/utf8.h"

#include <cstddef>

namespace plimsoll {
namespace {

/// Length of the valid character at the front of `text` (RFC 3629: no overlong forms, no surrogates, nothing
/// above U+10FFFF), 0 when there is none.
std::size_t valid_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xF0 && byte(1) < 0x90);
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    const bool too_large = lead == 0xF4 && byte(1) >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    const bool c1 = first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
    return (first < 0x20 && first != '\t' && first != '\n') || first == 0x7F || c1;
}

}  // namespace

Utf8Character take_character(std::string_view& rest) {
    const std::size_t length = valid_length(rest);
    const std::string_view character = rest.substr(0, length);
    rest.remove_prefix(length == 0 ? 1 : length);
    if (length == 0 || is_control(character)) {
        return {kReplacementCharacter, false};
    }
    return {character, true};
}

}  // namespace plimsoll
