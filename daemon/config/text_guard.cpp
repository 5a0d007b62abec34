// SPDX-License-Identifier: Apache-2.0
#include "config/text_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace plimsoll {
namespace {

/// Length of the UTF-8 character at the start of the text, 0 when it is none (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80)
        return 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length)
        return 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xBF;
    if (lead == 0xE0)
        low = 0xA0;
    if (lead == 0xED)
        high = 0x9F;
    if (lead == 0xF0)
        low = 0x90;
    if (lead == 0xF4)
        high = 0x8F;
    if (byte(1) < low || byte(1) > high)
        return 0;
    for (std::size_t index = 2; index < length; ++index)
        if ((byte(index) & 0xC0) != 0x80)
            return 0;
    return length;
}

bool is_allowed_control(std::string_view rest) {
    return rest[0] == '\n' || rest[0] == '\t' || rest.starts_with("\r\n");
}

bool is_control(char byte) {
    const auto code = static_cast<std::uint8_t>(byte);
    return code < 0x20 || code == 0x7F;
}

std::optional<Problem> refuse_line(std::string_view text, std::size_t start, std::size_t end, int line) {
    if (end - start > kMaxLineBytes)
        return Problem{{line, static_cast<int>(kMaxLineBytes) + 1},
                       fmt::format("the line is longer than {} bytes", kMaxLineBytes)};
    for (std::size_t at = start; at < end;) {
        const Position position{line, static_cast<int>(at - start) + 1};
        if (is_control(text[at]) && !is_allowed_control(text.substr(at)))
            return Problem{position, fmt::format("control character 0x{:02x}; allowed is text in UTF-8",
                                                 static_cast<std::uint8_t>(text[at]))};
        const std::size_t length = utf8_length(text.substr(at, end - at));
        if (length == 0)
            return Problem{position, "this is not UTF-8; allowed is text in UTF-8"};
        at += length;
    }
    return std::nullopt;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::optional<Problem> refuse_text(std::string_view text) {
    if (text.size() > kMaxConfigBytes)
        return Problem{{}, fmt::format("the file is larger than {} KiB", kMaxConfigBytes / 1024)};
    int line = 1;
    for (std::size_t start = 0; start < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', start), text.size());
        if (auto problem = refuse_line(text, start, end, line))
            return problem;
        start = end + 1;
    }
    return std::nullopt;
}

}  // namespace plimsoll
