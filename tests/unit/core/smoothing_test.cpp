// SPDX-License-Identifier: Apache-2.0
// Expected values come from the integral of signal · exp(-age / window), written out for each signal.
#include "core/smoothing.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>
#include <tuple>

namespace plimsoll {
namespace {

constexpr std::uint64_t kMs = 1'000'000, kSecond = 1000 * kMs;
constexpr std::uint64_t kBegin = 12'345 * kSecond + 678'901'234;
constexpr std::array<std::uint64_t, 3> kWindows{1 * kSecond, 10 * kSecond, 60 * kSecond};
enum : std::uint8_t { k1s, k10s, k60s };

double seconds(std::uint64_t ns) {
    return static_cast<double>(ns) / 1e9;
}

/// A container that the test keeps busy, and the clock.
class Container {
  public:
    CpuSmoothing smoothing{kWindows, kBegin, {}};
    std::uint64_t now = kBegin;
    CpuTime spent;

    bool tick(std::uint64_t length_ns, std::uint64_t running_ns, std::uint64_t runnable_ns = 0) {
        now += length_ns;
        spent.running += running_ns;
        spent.runnable += runnable_ns;
        return smoothing.tick(now, spent);
    }
    void ticks(std::uint64_t total_ns, bool busy, std::uint64_t length_ns = 100 * kMs) {
        for (std::uint64_t done = 0; done < total_ns; done += length_ns) {
            REQUIRE(tick(length_ns, busy ? length_ns : 0));
        }
    }
    [[nodiscard]] double average(std::size_t window) const { return smoothing.average(window).usage; }
    [[nodiscard]] double peak(std::size_t window) const { return smoothing.peak(window).usage; }
};

/// Busy for the first `duty` of every period; the truth at any moment.
struct SquareWave {
    std::uint64_t period_ns, busy_ns;

    [[nodiscard]] std::uint64_t spent(std::uint64_t age_ns) const {
        return age_ns / period_ns * busy_ns + std::min(age_ns % period_ns, busy_ns);
    }
    /// At the end of any period: a geometric series over all the periods before, which cancels.
    [[nodiscard]] double average(std::uint64_t window_ns) const {
        const double period = seconds(period_ns) / seconds(window_ns),
                     busy = seconds(busy_ns) / seconds(window_ns);
        return (std::exp(busy - period) - std::exp(-period)) / (1 - std::exp(-period));
    }
};

TEST_CASE("a square wave averages to nearly its duty over windows much longer than its period") {
    constexpr SquareWave kWave{1 * kSecond, 300 * kMs};
    Container container;
    for (int period = 0; period < 300; period++) {
        container.ticks(300 * kMs, true);
        container.ticks(700 * kMs, false);
    }
    for (const auto window : {k1s, k10s, k60s}) {
        CAPTURE(kWindows[window]);
        CHECK(container.average(window) == Approx(kWave.average(kWindows[window])).epsilon(1e-9));
        CHECK(container.peak(window) == 1);
    }
    CHECK(container.average(k10s) == Approx(0.3).margin(0.3 * 0.7 / 2 / 10 * 1.1));
    CHECK(container.average(k60s) == Approx(0.3).margin(0.3 * 0.7 / 2 / 60 * 1.1));
}

TEST_CASE("a burst of 300 ms shows in the peaks and hardly moves the long average") {
    Container container;
    container.ticks(120 * kSecond, false);
    container.ticks(300 * kMs, true);
    const auto expected = [](double window) {
        return std::expm1(-0.3 / window) / std::expm1(-120.3 / window);
    };
    CHECK(container.average(k1s) == Approx(expected(1)).epsilon(1e-9));
    CHECK(container.average(k10s) == Approx(expected(10)).epsilon(1e-9));
    CHECK(container.average(k60s) == Approx(expected(60)).epsilon(1e-9));
    CHECK(container.average(k60s) < 0.006);
    for (const auto window : {k1s, k10s, k60s}) {
        CHECK(container.peak(window) == 1);
    }
    container.ticks(30 * kSecond, false);
    CHECK(container.peak(k1s) == 0);
    CHECK(container.peak(k10s) == 0);
    CHECK(container.peak(k60s) == 1);
}

TEST_CASE("irregular ticks give the average of regular ones for the same signal") {
    constexpr SquareWave kWave{700 * kMs, 210 * kMs};
    constexpr std::uint64_t kLongest = 400 * kMs;
    constexpr std::uint64_t kTotal = 700 * kMs * 200;
    Container regular, irregular;
    const auto advance = [&](Container& container, std::uint64_t length_ns) {
        const std::uint64_t age = container.now - kBegin;
        const std::uint64_t length = std::min(length_ns, kTotal - age);
        return container.tick(length, kWave.spent(age + length) - kWave.spent(age));
    };
    while (regular.now - kBegin < kTotal) {
        REQUIRE(advance(regular, 70 * kMs));
    }
    std::mt19937 random(4711);
    std::uniform_int_distribution<std::uint64_t> length(10 * kMs, kLongest);
    while (irregular.now - kBegin < kTotal) {
        const std::uint64_t left = kTotal - (irregular.now - kBegin);
        REQUIRE(advance(irregular, left < 2 * kLongest ? left : length(random)));
    }
    for (const auto window : {k10s, k60s}) {
        CAPTURE(kWindows[window]);
        CHECK(regular.average(window) == Approx(kWave.average(kWindows[window])).epsilon(1e-9));
        // A tick knows its mean only. |signal - mean| integrates to at most length / 2, and within the tick
        // the weight is at most length / 2 windows away from its middle. The last tick has twice the length.
        const double ratio = 2 * seconds(kLongest) / seconds(kWindows[window]);
        CHECK(irregular.average(window) ==
              Approx(kWave.average(kWindows[window])).margin(ratio / 4 * std::exp(ratio)));
    }
}

TEST_CASE("a late tick counts by its true length") {
    Container container;
    container.ticks(10 * kSecond, false);
    container.tick(2 * kSecond, 1 * kSecond);
    CHECK(container.average(k10s) == Approx(0.5 * std::expm1(-0.2) / std::expm1(-1.2)).epsilon(1e-9));
    CHECK(container.peak(k10s) == 0.5);
}

TEST_CASE("the first tick already is the true mean") {
    Container container;
    CHECK_FALSE(container.smoothing.known());
    CHECK(container.tick(100 * kMs, 50 * kMs, 150 * kMs));
    CHECK(container.smoothing.known());
    for (const auto window : {k1s, k10s, k60s}) {
        CHECK(container.smoothing.average(window).usage == Approx(0.5).epsilon(1e-12));
        CHECK(container.smoothing.average(window).wait == Approx(1.5).epsilon(1e-12));
        CHECK(container.smoothing.peak(window).usage == 0.5);
        CHECK(container.smoothing.peak(window).wait == 1.5);
    }
}

TEST_CASE("a thread that never yields is exactly one core") {
    Container container;
    container.ticks(90 * kSecond, true);
    for (const auto window : {k1s, k10s, k60s}) {
        CHECK(container.average(window) == 1);
    }
}

TEST_CASE("a rest is what as many ticks of nothing are") {
    Container ticked, rested;
    for (const std::uint64_t idle : {50 * kSecond, 300 * kMs, 7 * kSecond, 100 * kMs, 59 * kSecond}) {
        ticked.ticks(idle, false);
        rested.now += idle;
        rested.smoothing.rest(rested.now);
        for (Container* container : {&ticked, &rested}) {
            container->ticks(200 * kMs, true);
            CHECK(container->tick(100 * kMs, 30 * kMs, 70 * kMs));
        }
        for (const auto window : {k1s, k10s, k60s}) {
            CHECK(rested.average(window) == Approx(ticked.average(window)).epsilon(1e-12));
            CHECK(rested.smoothing.average(window).wait ==
                  Approx(ticked.smoothing.average(window).wait).epsilon(1e-12));
            CHECK(rested.peak(window) == ticked.peak(window));
        }
    }
}

TEST_CASE("a peak stays for its window and leaves within a sixtieth of it") {
    for (const std::uint64_t offset : {std::uint64_t{0}, 3 * kMs, 777 * kMs}) {
        for (const auto window : {k1s, k10s, k60s}) {
            CAPTURE(offset, kWindows[window]);
            Container container;
            container.now += offset;
            REQUIRE(container.tick(100 * kMs, 80 * kMs));
            const std::uint64_t end = container.now;
            container.smoothing.rest(end + kWindows[window]);
            CHECK(container.peak(window) == Approx(80.0 / seconds(100 * kMs + offset) / 1000));
            container.smoothing.rest(end + kWindows[window] + kWindows[window] / SmoothedWindow::kParts +
                                     100);
            CHECK(container.peak(window) == 0);
        }
    }
}

TEST_CASE("the highest tick of the window is the peak, whatever came after it") {
    Container container;
    for (const std::uint64_t busy : {10, 70, 20, 90, 40, 30, 0, 5}) {
        REQUIRE(container.tick(100 * kMs, busy * kMs));
    }
    CHECK(container.peak(k10s) == 0.9);
    container.ticks(9600 * kMs, false);  // the 90 ended 10 s ago
    CHECK(container.peak(k10s) == 0.9);
    container.ticks(400 * kMs, false);
    CHECK(container.peak(k10s) == 0.05);
}

TEST_CASE("time that goes nowhere takes nothing and loses nothing") {
    Container container;
    container.ticks(1 * kSecond, true);
    CHECK_FALSE(container.tick(0, 0));
    CHECK_FALSE(container.tick(0, 500));
    CHECK_FALSE(container.smoothing.tick(container.now - kSecond, container.spent));
    container.smoothing.rest(container.now - kSecond);
    CHECK(container.average(k1s) == 1);
    CHECK(container.tick(100 * kMs, 100 * kMs - 500));
    CHECK(container.average(k1s) == 1);
    CHECK(container.peak(k1s) == 1);
}

TEST_CASE("a sum that reads a little lower is made up for") {
    Container container;
    REQUIRE(container.tick(100 * kMs, 100 * kMs));
    CHECK(container.tick(100 * kMs, static_cast<std::uint64_t>(-2000)));
    CHECK(container.peak(k1s) == 1);
    CHECK(container.tick(100 * kMs, 50 * kMs + 2000));
    const double kept = std::exp(-0.1);
    CHECK(container.average(k1s) ==
          Approx((kept * kept - 2e-5 * kept + 0.5 + 2e-5) / (kept * kept + kept + 1)).epsilon(1e-9));
}

TEST_CASE("running that was taken for waiting is in the average when it is known, and no peak") {
    Container container;
    REQUIRE(container.tick(100 * kMs, 0, 100 * kMs));
    REQUIRE(container.tick(100 * kMs, 0, 100 * kMs));
    CHECK(container.tick(100 * kMs, 300 * kMs, static_cast<std::uint64_t>(-200) * kMs));
    const double kept = std::exp(-0.1), weight = kept * kept + kept + 1;
    CHECK(container.average(k1s) == Approx(3 / weight).epsilon(1e-9));
    CHECK(container.peak(k1s) == 1);
    CHECK(container.tick(100 * kMs, 100 * kMs));
    CHECK(container.peak(k1s) == 1);
    // Nor is what comes back; in the average, what was too much at first is less than nothing later.
    CHECK(container.tick(100 * kMs, 0, 200 * kMs));
    CHECK(container.tick(100 * kMs, 0, 100 * kMs));
    CHECK(container.smoothing.peak(k1s).wait == 1);
    const double waited = std::pow(kept, 5) + std::pow(kept, 4) - 2 * std::pow(kept, 3) + 2 * kept + 1;
    const double all = (1 - std::pow(kept, 6)) / (1 - kept);
    CHECK(container.smoothing.average(k1s).wait == Approx(waited / all).epsilon(1e-9));
}

TEST_CASE("whatever the clock does, the values are finite and between nothing and all") {
    std::mt19937 random(23);
    Container container;
    for (int i = 0; i < 20'000; i++) {
        const std::uint64_t length = std::uint64_t{1} << random() % 45;
        const std::uint64_t busy = length / (1 + random() % 3);
        switch (random() % 4) {
            case 0:
                container.smoothing.rest(container.now += length);
                break;
            case 1:
                std::ignore = container.smoothing.tick(container.now - length, container.spent);
                break;
            case 2:
                std::ignore = container.tick(0, 0);
                break;
            default:
                std::ignore = container.tick(std::max(length, kMs), busy);
        }
        for (const auto window : {k1s, k10s, k60s}) {
            REQUIRE(container.average(window) >= 0);
            REQUIRE(container.average(window) <= 1 + 1e-12);
            REQUIRE(container.peak(window) >= 0);
            REQUIRE(container.peak(window) <= 1 + 1e-12);
        }
    }
}

}  // namespace
}  // namespace plimsoll
