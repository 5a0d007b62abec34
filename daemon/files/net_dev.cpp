// SPDX-License-Identifier: Apache-2.0
#include "files/net_dev.h"

#include <algorithm>
#include <charconv>

namespace plimsoll {
namespace {

constexpr std::size_t kHeaderLines = 2;
// Sixteen since Linux 2.1: eight each way, of which the first four are kept.
constexpr std::size_t kColumns = 16;
constexpr std::size_t kColumnsEachWay = 8;
constexpr std::size_t kKeptEachWay = 4;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

char lowered(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = std::ranges::find_if_not(text, is_blank);
    return text.substr(static_cast<std::size_t>(begin - text.begin()));
}

/// Takes one number off the front; nothing when there is none, or one beyond 64 bits.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    text = trimmed(text);
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (!text.empty() && !is_blank(text.front())) {
        return std::nullopt;
    }
    return number;
}

/// `  eth0: 1 2 …`, or `eth0:1 2 …` where the number fills its column. The last colon ends the name, for
/// names that have colons themselves.
std::optional<NetInterface> parse_line(std::string_view line) {
    line = trimmed(line);
    const auto colon = line.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return std::nullopt;
    }
    NetInterface interface{line.substr(0, colon), {}};
    std::string_view rest = line.substr(colon + 1);
    for (std::size_t column = 0; column < kColumns; ++column) {
        const auto number = take_number(rest);
        if (!number) {
            return std::nullopt;
        }
        if (column % kColumnsEachWay < kKeptEachWay) {
            interface.counters[column / kColumnsEachWay * kKeptEachWay + column % kColumnsEachWay] = *number;
        }
    }
    return interface;
}

}  // namespace

std::optional<std::vector<NetInterface>> parse_net_dev(std::string_view text) {
    std::vector<NetInterface> interfaces;
    for (std::size_t number = 0; !text.empty(); ++number) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return std::nullopt;  // cut off
        }
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (number < kHeaderLines) {
            continue;
        }
        auto interface = parse_line(line);
        if (!interface) {
            return std::nullopt;
        }
        interfaces.push_back(*interface);
    }
    return interfaces;
}

bool is_left_out(std::string_view interface) {
    return std::ranges::any_of(std::array<std::string_view, 3>{"lo", "veth", "docker"}, [&](auto prefix) {
        return std::ranges::equal(interface.substr(0, prefix.size()), prefix, {}, lowered);
    });
}

}  // namespace plimsoll
