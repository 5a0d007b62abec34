// SPDX-License-Identifier: Apache-2.0
#include "exposition/number_text.h"

#include <bit>
#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

namespace plimsoll {
namespace {

std::string seconds(std::uint64_t nanoseconds) {
    std::string out;
    append_seconds(out, nanoseconds);
    return out;
}

std::string real(double value) {
    std::string out;
    append_double(out, value);
    return out;
}

std::string bound(double value) {
    std::string out;
    append_bound(out, value);
    return out;
}

}  // namespace

TEST_CASE("Nanoseconds are written as exact decimal seconds") {
    CHECK(seconds(0) == "0");
    CHECK(seconds(1) == "0.000000001");
    CHECK(seconds(1'500'000'000) == "1.5");
    CHECK(seconds(2'000'000'000) == "2");
    CHECK(seconds(1'000'000'010) == "1.00000001");
    CHECK(seconds(999'999'999) == "0.999999999");
    // Past 2^53 a double would have lost the last digits.
    CHECK(seconds(9'007'199'254'740'993) == "9007199.254740993");
    CHECK(seconds(std::numeric_limits<std::uint64_t>::max()) == "18446744073.709551615");
}

TEST_CASE("Integers are written whole up to the last digit") {
    std::string out;
    append_integer(out, std::numeric_limits<std::uint64_t>::max());
    append_number(out, Number::count(0));
    CHECK(out == "184467440737095516150");
}

TEST_CASE("A double is the shortest text that reads back as itself") {
    CHECK(real(0.1) == "0.1");
    CHECK(real(1e300) == "1e+300");
    CHECK(real(1'000'000) == "1000000");
    CHECK(real(-3) == "-3");
    CHECK(real(-0.0) == "0");
    std::mt19937_64 random(42);
    for (int i = 0; i < 10'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (std::isfinite(value)) {
            const std::string text = real(value);
            double back = 0;
            std::from_chars(text.data(), text.data() + text.size(), back);
            CHECK(back == value);
        }
    }
}

TEST_CASE("What is not a number is spelled as the formats want it") {
    CHECK(real(std::numeric_limits<double>::quiet_NaN()) == "NaN");
    CHECK(real(std::numeric_limits<double>::infinity()) == "+Inf");
    CHECK(real(-std::numeric_limits<double>::infinity()) == "-Inf");
}

TEST_CASE("Bounds look like floating point numbers") {
    CHECK(bound(1) == "1.0");
    CHECK(bound(-10) == "-10.0");
    CHECK(bound(0.5) == "0.5");
    CHECK(bound(1e-6) == "1e-06");
    CHECK(bound(std::numeric_limits<double>::infinity()) == "+Inf");
}

TEST_CASE("The bounds of time histograms are powers of two of a microsecond") {
    for (int k = 0; k < kTimeBounds; ++k) {
        CHECK(kTimeBoundTexts[k] == real(std::ldexp(1, k) / 1e6));
    }
}

}  // namespace plimsoll
