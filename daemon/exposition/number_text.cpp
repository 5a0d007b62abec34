// SPDX-License-Identifier: Apache-2.0
#include "exposition/number_text.h"

#include <charconv>
#include <cmath>

namespace plimsoll {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr int kFractionDigits = 9;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

}  // namespace

void append_integer(std::string& out, std::uint64_t value) {
    char text[20];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_seconds(std::string& out, std::uint64_t nanoseconds) {
    append_integer(out, nanoseconds / kNanosecondsPerSecond);
    auto rest = static_cast<std::uint32_t>(nanoseconds % kNanosecondsPerSecond);
    if (rest == 0) {
        return;
    }
    char text[1 + kFractionDigits];
    text[0] = '.';
    for (int i = kFractionDigits; i > 0; --i) {
        text[i] = static_cast<char>('0' + rest % 10);
        rest /= 10;
    }
    std::size_t length = sizeof text;
    while (text[length - 1] == '0') {
        --length;
    }
    out.append(text, length);
}

void append_double(std::string& out, double value) {
    char text[32];  // the shortest form of any double takes at most 24
    if (std::isnan(value)) {
        out += "NaN";
    } else if (std::isinf(value)) {
        out += value > 0 ? "+Inf" : "-Inf";
    } else if (std::abs(value) < kExactIntegers && value == std::trunc(value)) {
        out.append(text, std::to_chars(text, text + sizeof text, static_cast<std::int64_t>(value)).ptr);
    } else {
        out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
    }
}

void append_bound(std::string& out, double value) {
    const std::size_t start = out.size();
    append_double(out, value);
    if (out.find_first_not_of("-0123456789", start) == std::string::npos) {
        out += ".0";
    }
}

void append_number(std::string& out, const Number& number) {
    switch (number.kind) {
        case Number::Kind::integer:
            return append_integer(out, number.integer);
        case Number::Kind::nanoseconds:
            return append_seconds(out, number.integer);
        case Number::Kind::real:
            return append_double(out, number.real);
    }
}

}  // namespace plimsoll
