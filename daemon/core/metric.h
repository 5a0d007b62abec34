// SPDX-License-Identifier: Apache-2.0
// What a metric family is: declared once by the probe that owns it; HELP, TYPE, docs/metrics.md and the
// dashboard check derive from it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace plimsoll {

enum class MetricType { counter, gauge, histogram };

/// A family. All views point to static storage.
struct MetricSpec {
    std::string_view name;  ///< full exposition name, counters end in _total
    MetricType type;
    std::string_view unit;    ///< "seconds", "bytes", or "" for plain counts
    std::string_view labels;  ///< label names besides the container's own, comma separated, with their values
                              ///< in parentheses where the set is fixed: "state (running, runnable, …)"
    std::string_view help;    ///< one sentence: what it means
    std::string_view source;  ///< where the number comes from: "tp_btf/sched_switch", "cpu.stat"
};

/// Number of finite bounds of every time histogram: powers of two of a microsecond, 2^0 to 2^24 µs (16.8 s).
inline constexpr int kTimeBounds = 25;

/// A number that stays an integer until its text is written (a nanosecond counter as a double loses whole
/// nanoseconds past 2^53, which is 104 CPU-days).
struct Number {
    enum class Kind : std::uint8_t { integer, nanoseconds, real };
    Kind kind = Kind::integer;
    union {
        std::uint64_t integer = 0;  ///< kind integer: the value; kind nanoseconds: written as seconds
        double real;
    };

    static constexpr Number count(std::uint64_t value) {
        Number number;
        number.integer = value;
        return number;
    }
    static constexpr Number nanoseconds(std::uint64_t value) {
        Number number;
        number.kind = Kind::nanoseconds;
        number.integer = value;
        return number;
    }
    static constexpr Number value(double value) {
        Number number;
        number.kind = Kind::real;
        number.real = value;
        return number;
    }
};

}  // namespace plimsoll
