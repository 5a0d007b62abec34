// SPDX-License-Identifier: Apache-2.0
// The immutable set of values that one scrape renders. Filled by the loop thread through SampleWriter, then
// shared as shared_ptr<const Snapshot> with the HTTP threads, which only read it.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metric.h"

namespace plimsoll {

/// The labels of one container, rendered and escaped once when it is registered or renamed, e.g.
/// `id="/docker/…",name="web",image="nginx"` (no braces, no trailing comma). Never empty for a container.
/// Shared with every snapshot that mentions it.
using LabelPrefix = std::shared_ptr<const std::string>;

/// The series of the whole machine, without a container's labels.
inline constexpr std::uint32_t kNoContainer = UINT32_MAX;

struct Sample {
    std::uint32_t container;    ///< index into Snapshot::containers, or kNoContainer
    std::string_view fragment;  ///< further labels, rendered and escaped: `state="running"`, or empty
    Number value;               ///< of a histogram: Number::count(index into Snapshot::histograms)
};

/// A time histogram: buckets[i] counts values in (bound[i-1], bound[i]], the last one those above all bounds.
struct HistogramValue {
    std::array<std::uint64_t, kTimeBounds + 1> buckets;  ///< not cumulative
    std::uint64_t sum_ns;
};

struct FamilySamples {
    const MetricSpec* spec;
    std::vector<Sample> samples;
};

struct Snapshot {
    std::uint64_t taken_unix_ns = 0;  ///< when sampling began
    std::vector<LabelPrefix> containers;
    std::vector<FamilySamples> families;  ///< in declaration order
    std::vector<HistogramValue> histograms;
    std::deque<std::string> fragments;           ///< owns fragments that are not static
    std::vector<prometheus::MetricFamily> self;  ///< the agent's own, from its prometheus-cpp registry
};

}  // namespace plimsoll
