// SPDX-License-Identifier: Apache-2.0
#include "config/problem.h"

#include <fmt/format.h>

#include <cstddef>

namespace plimsoll {

std::string quoted(std::string_view text) {
    constexpr std::size_t kLongest = 60;
    bool cut = false;
    if (text.size() > kLongest) {
        cut = true;
        std::size_t end = kLongest;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
            --end;  // never cut a UTF-8 character in two
        text = text.substr(0, end);
    }
    std::string result = "\"";
    for (const char byte : text) {
        const auto code = static_cast<unsigned char>(byte);
        if (code < 0x20 || code == 0x7F)
            result += fmt::format("\\x{:02x}", code);
        else
            result += byte;
    }
    return result + (cut ? "…\"" : "\"");
}

std::string joined(const std::vector<std::string_view>& words) {
    return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace plimsoll
