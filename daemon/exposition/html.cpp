// SPDX-License-Identifier: Apache-2.0
#include "exposition/html.h"

#include <fmt/format.h>

#include <array>

#include "exposition/utf8.h"

namespace plimsoll {

void append_html(std::string& out, std::string_view text, std::size_t limit) {
    std::string_view rest = text.substr(0, limit);
    while (!rest.empty()) {
        const std::string_view character = take_character(rest).text;
        switch (character[0]) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += character;
        }
    }
    out += text.size() > limit ? "…" : "";
}

std::string cores_text(double cores) {
    const int digits = cores >= 99.95 ? 0 : cores >= 9.995 ? 1 : cores >= 0.01 || cores < 0.0005 ? 2 : 3;
    return fmt::format("{:.{}f}", cores, digits);
}

std::string bytes_text(double bytes) {
    constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t unit = 0;
    while (bytes >= 1023.95 && unit + 1 < kUnits.size()) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{:.{}f} {}", bytes, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string duration_text(double seconds) {
    struct Unit {
        double seconds;
        const char* name;
    };
    constexpr std::array<Unit, 4> kUnits{{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
    std::size_t unit = 0;
    while (unit + 1 < kUnits.size() && seconds < kUnits[unit].seconds) {
        ++unit;
    }
    const auto large = static_cast<long long>(seconds / kUnits[unit].seconds);
    std::string text = fmt::format("{} {}", large, kUnits[unit].name);
    if (unit + 1 < kUnits.size()) {
        const double rest = seconds - static_cast<double>(large) * kUnits[unit].seconds;
        const Unit& next = kUnits[unit + 1];
        text += fmt::format(" {} {}", static_cast<long long>(rest / next.seconds), next.name);
    }
    return text;
}

}  // namespace plimsoll
