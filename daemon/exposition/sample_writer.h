// SPDX-License-Identifier: Apache-2.0
// How a probe fills a snapshot: one family at a time, in the order of its declarations. Loop thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "exposition/snapshot.h"

namespace plimsoll {

class SampleWriter {
  public:
    explicit SampleWriter(Snapshot& snapshot) : snapshot_(snapshot) {}

    /// Starts a family; what follows belongs to it. A family may be started once per snapshot.
    void family(const MetricSpec& spec) { snapshot_.families.push_back({&spec, {}}); }

    /// `container`: index into Snapshot::containers. `fragment`: rendered labels with static storage, or
    /// kept().
    void add(std::uint32_t container, std::string_view fragment, Number value) {
        snapshot_.families.back().samples.push_back({container, fragment, value});
    }

    /// `buckets`: as kernel programs keep them, not cumulative.
    template <typename Word>
    void histogram(std::uint32_t container, std::string_view fragment, const Word (&buckets)[kTimeBounds + 1],
                   std::uint64_t sum_ns) {
        HistogramValue value{};
        std::ranges::copy(buckets, value.buckets.begin());
        value.sum_ns = sum_ns;
        const auto index = static_cast<std::uint32_t>(snapshot_.histograms.size());
        snapshot_.histograms.push_back(value);
        snapshot_.families.back().samples.push_back({container, fragment, Number{}, index});
    }

    /// Keeps a fragment that is not static as long as the snapshot lives.
    std::string_view kept(std::string fragment) {
        return snapshot_.fragments.emplace_back(std::move(fragment));
    }

  private:
    Snapshot& snapshot_;
};

}  // namespace plimsoll
