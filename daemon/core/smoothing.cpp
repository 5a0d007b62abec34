// SPDX-License-Identifier: Apache-2.0
#include "core/smoothing.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace plimsoll {

void SmoothedWindow::add(Cores cores, Cores highest, std::uint64_t end_ns, std::uint64_t length_ns) {
    // What lies in the window of a signal that is constant over the interval: the integral of the weights.
    const double gained = -std::expm1(-static_cast<double>(length_ns) / static_cast<double>(window_ns_));
    const double kept = 1 - gained;
    sum_.usage = sum_.usage * kept + cores.usage * gained;
    sum_.wait = sum_.wait * kept + cores.wait * gained;
    weight_ = weight_ * kept + gained;
    advance(end_ns / part_ns_);
    Cores& part = highest_[part_ % highest_.size()];
    part.usage = std::max(part.usage, highest.usage);
    part.wait = std::max(part.wait, highest.wait);
}

/// Empties the parts that begin anew.
void SmoothedWindow::advance(std::uint64_t part) {
    const std::uint64_t passed = std::min<std::uint64_t>(part - part_, highest_.size());
    for (std::uint64_t i = 0; i < passed; i++) {
        highest_[(part - i) % highest_.size()] = {};
    }
    part_ = part;
}

Cores SmoothedWindow::average() const {
    return weight_ > 0 ? Cores{sum_.usage / weight_, sum_.wait / weight_} : Cores{};
}

Cores SmoothedWindow::peak() const {
    Cores result;
    for (const Cores& highest : highest_) {
        result.usage = std::max(result.usage, highest.usage);
        result.wait = std::max(result.wait, highest.wait);
    }
    return result;
}

namespace {

/// A sum can fall: time was booked anew as another state's, or CPUs were read one after another.
struct Change {
    std::int64_t difference = 0;
    std::uint64_t growth = 0;  // beyond where it has been

    [[nodiscard]] std::uint64_t fall() const {
        return difference < 0 ? static_cast<std::uint64_t>(-difference) : 0;
    }
};

Change change(std::uint64_t& before, std::uint64_t& owed, std::uint64_t now) {
    const std::uint64_t difference = now - before;
    before = now;
    Change result{.difference = static_cast<std::int64_t>(difference)};
    if (result.difference < 0) {
        owed += result.fall();
    } else {
        const std::uint64_t paid = std::min(owed, difference);
        owed -= paid;
        result.growth = difference - paid;
    }
    return result;
}

}  // namespace

void CpuSmoothing::rest(std::uint64_t until_ns) {
    if (until_ns <= known_ns_) {
        return;
    }
    for (auto& window : windows_) {
        window.add({}, {}, until_ns, until_ns - known_ns_);
    }
    known_ns_ = until_ns;
}

bool CpuSmoothing::tick(std::uint64_t now_ns, CpuTime spent) {
    if (now_ns < known_ns_ + kShortestNs) {
        return false;
    }
    const Change running = change(spent_.running, owed_.running, spent.running);
    const Change runnable = change(spent_.runnable, owed_.runnable, spent.runnable);
    if (running.difference == 0 && runnable.difference == 0) {
        rest(now_ns);
        return true;
    }
    const std::uint64_t from_ns = known_ns_;
    if (windows_.empty()) {
        windows_.reserve(windows_ns_.size());
        for (const auto window_ns : windows_ns_) {
            windows_.emplace_back(window_ns);
        }
        known_ns_ = begin_ns_;
        rest(from_ns);
    }
    const auto length = static_cast<double>(now_ns - from_ns);
    const Cores cores{static_cast<double>(running.difference) / length,
                      static_cast<double>(runnable.difference) / length};
    // What was taken for waiting in earlier ticks and was running all the same was not run in this one.
    const std::uint64_t ran = running.growth - std::min(running.growth, runnable.fall());
    const Cores highest{static_cast<double>(ran) / length, static_cast<double>(runnable.growth) / length};
    for (auto& window : windows_) {
        window.add(cores, highest, now_ns, now_ns - from_ns);
    }
    known_ns_ = now_ns;
    return true;
}

Cores CpuSmoothing::average(std::size_t window) const {
    if (windows_.empty()) {
        return {};
    }
    const Cores average = windows_[window].average();
    return {std::max(0.0, average.usage), std::max(0.0, average.wait)};
}

Cores CpuSmoothing::peak(std::size_t window) const {
    return windows_.empty() ? Cores{} : windows_[window].peak();
}

}  // namespace plimsoll
