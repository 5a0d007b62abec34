// SPDX-License-Identifier: Apache-2.0
// Builds a snapshot container by container, for tests of what reads one.
#pragma once

#include <string>
#include <vector>

#include "exposition/labels.h"
#include "exposition/sample_writer.h"

namespace plimsoll::testing {

inline constexpr std::uint64_t kTakenNs = 1'700'000'000'000'000'000;

/// One number: of a container by its place, with further labels as they are rendered.
struct Value {
    std::uint32_t container;
    double value;
    std::string labels;
};

inline Container named(std::string name, std::string image = "img", std::string cgroup = "") {
    Container container;
    container.cgroup = cgroup.empty() ? "/docker/" + name : std::move(cgroup);
    container.name = std::move(name);
    container.image = std::move(image);
    container.runtime = Runtime::docker;
    return container;
}

class ContainerSnapshot {
  public:
    explicit ContainerSnapshot(const std::vector<Container>& containers) : writer_(snapshot_) {
        snapshot_.taken_unix_ns = kTakenNs;
        writer_.family(info_);
        for (const Container& container : containers) {
            snapshot_.containers.push_back(std::make_shared<const std::string>(render_labels(container)));
            writer_.add(static_cast<std::uint32_t>(snapshot_.containers.size() - 1),
                        writer_.kept(render_info_labels(container, {})), Number::count(1));
        }
    }

    /// A cgroup that is no container but has values of its own: a pod, a slice.
    std::uint32_t add_group(const Container& group) {
        snapshot_.containers.push_back(std::make_shared<const std::string>(render_labels(group)));
        return static_cast<std::uint32_t>(snapshot_.containers.size() - 1);
    }

    ContainerSnapshot& family(std::string_view name, const std::vector<Value>& values) {
        specs_.push_back({name, MetricType::gauge, "", "", "", ""});
        writer_.family(specs_.back());
        for (const Value& value : values) {
            writer_.add(value.container, writer_.kept(value.labels), Number::value(value.value));
        }
        return *this;
    }

    ContainerSnapshot& self(std::string name, double value, std::string label = "") {
        prometheus::ClientMetric metric;
        metric.gauge.value = value;
        if (!label.empty()) {
            metric.label.push_back({"probe", std::move(label)});
        }
        snapshot_.self.push_back({std::move(name), "", prometheus::MetricType::Gauge, {metric}});
        return *this;
    }

    const Snapshot& get() const { return snapshot_; }

  private:
    MetricSpec info_{"container_info", MetricType::gauge, "", "", "", ""};
    std::deque<MetricSpec> specs_;
    Snapshot snapshot_;
    SampleWriter writer_;
};

}  // namespace plimsoll::testing
