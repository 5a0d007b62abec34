// SPDX-License-Identifier: Apache-2.0
// Numbers as the text formats want them, written at the end of a reused buffer without allocation. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/metric.h"

namespace plimsoll {

void append_integer(std::string& out, std::uint64_t value);

/// Exact decimal seconds by integer arithmetic: 1 → 0.000000001, 1500000000 → 1.5, 2000000000 → 2.
void append_seconds(std::string& out, std::uint64_t nanoseconds);

/// The shortest text that reads back as the same double; whole numbers below 2^53 without exponent; NaN,
/// +Inf, -Inf.
void append_double(std::string& out, double value);

/// A double as the value of `le` or `quantile`: OpenMetrics wants 1.0, not 1, and a series must not change
/// its identity with the format, so both get it.
void append_bound(std::string& out, double value);

void append_number(std::string& out, const Number& number);

/// The bounds of every time histogram, 2^k µs in seconds, as append_double would write them.
inline constexpr std::array<std::string_view, kTimeBounds> kTimeBoundTexts{
    "1e-06",    "2e-06",    "4e-06",    "8e-06",    "1.6e-05",  "3.2e-05",  "6.4e-05",
    "0.000128", "0.000256", "0.000512", "0.001024", "0.002048", "0.004096", "0.008192",
    "0.016384", "0.032768", "0.065536", "0.131072", "0.262144", "0.524288", "1.048576",
    "2.097152", "4.194304", "8.388608", "16.777216"};

}  // namespace plimsoll
