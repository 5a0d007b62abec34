// SPDX-License-Identifier: Apache-2.0
// What the agent says about itself, in a prometheus-cpp registry. Filled on the loop thread before each
// snapshot.
#pragma once

#include <prometheus/registry.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metric.h"

namespace plimsoll {

class SelfMetrics {
  public:
    SelfMetrics();

    /// The families this class exports, for the catalogue.
    static std::span<const MetricSpec> catalogue();

    using Labels = prometheus::Labels;
    /// Sets a gauge, or a counter to a value that never goes back. `name` must be in the catalogue.
    void set(std::string_view name, double value, const Labels& labels = {});

    /// The series is no more. Of gauges only.
    void drop(std::string_view name, const Labels& labels);

    /// The process's own CPU time, memory and descriptors, from /proc/self; what cannot be read is no series.
    void update_process();
    /// In the order of the catalogue, the series of a family by their labels: the same on every page.
    [[nodiscard]] std::vector<prometheus::MetricFamily> collect() const;

  private:
    void set_or_drop(std::string_view name, std::optional<double> value);

    prometheus::Registry registry_;
    std::vector<prometheus::Family<prometheus::Gauge>*> gauges_;
    std::vector<prometheus::Family<prometheus::Counter>*> counters_;
};

}  // namespace plimsoll
