// SPDX-License-Identifier: Apache-2.0
// How a probe fills a snapshot: one family at a time, in the order of its declarations. Loop thread only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exposition/snapshot.h"

namespace plimsoll {

class SampleWriter {
  public:
    explicit SampleWriter(Snapshot& snapshot) : snapshot_(snapshot) {}

    /// Starts a family; what follows belongs to it. A family may be started once per snapshot. `expected`:
    /// how many samples it will have, as far as is known.
    void family(const MetricSpec& spec, std::size_t expected = 0) {
        snapshot_.families.push_back({&spec, {}});
        snapshot_.families.back().samples.reserve(expected);
    }

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
        const std::size_t index = snapshot_.histograms.size();
        snapshot_.histograms.push_back(value);
        snapshot_.families.back().samples.push_back({container, fragment, Number::count(index)});
    }

    /// Whether the family is on the page: the probe that declares it runs.
    [[nodiscard]] bool has(const MetricSpec& spec) const {
        return std::ranges::any_of(
            snapshot_.families, [&](const FamilySamples& family) { return family.spec->name == spec.name; });
    }

    /// For a family that another probe declares, and has nothing for some containers in: what is added for
    /// those is kept, the rest ignored.
    class Supplement {
      public:
        Supplement(Snapshot& snapshot, const MetricSpec& spec) : family_(family_of(snapshot, spec)) {
            present_.resize(snapshot.containers.size());
            for (const Sample& sample : family_.samples) {
                present_[sample.container] = true;
            }
        }
        Supplement(const Supplement&) = delete;
        Supplement& operator=(const Supplement&) = delete;
        /// Everything in the order of the containers again.
        ~Supplement() {
            if (!std::ranges::is_sorted(family_.samples, {}, &Sample::container)) {
                std::ranges::stable_sort(family_.samples, {}, &Sample::container);
            }
        }

        [[nodiscard]] bool lacks(std::uint32_t container) const { return !present_[container]; }
        /// The container's series were supplied before, and stay so: a counter must not change its source.
        void replace(std::uint32_t container) {
            std::erase_if(family_.samples,
                          [&](const Sample& sample) { return sample.container == container; });
            present_[container] = false;
        }
        void add(std::uint32_t container, std::string_view fragment, Number value) {
            if (lacks(container)) {
                family_.samples.push_back({container, fragment, value});
            }
        }

      private:
        static FamilySamples& family_of(Snapshot& snapshot, const MetricSpec& spec) {
            const auto found = std::ranges::find(
                snapshot.families, spec.name, [](const FamilySamples& family) { return family.spec->name; });
            return found != snapshot.families.end()
                       ? *found
                       : snapshot.families.emplace_back(FamilySamples{&spec, {}});
        }

        FamilySamples& family_;
        std::vector<bool> present_;
    };
    Supplement supplement(const MetricSpec& spec) { return {snapshot_, spec}; }

    /// Keeps a fragment that is not static as long as the snapshot lives.
    std::string_view kept(std::string fragment) {
        return snapshot_.fragments.emplace_back(std::move(fragment));
    }

  private:
    Snapshot& snapshot_;
};

}  // namespace plimsoll
