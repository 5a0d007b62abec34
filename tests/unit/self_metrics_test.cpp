// SPDX-License-Identifier: Apache-2.0
#include "self_metrics.h"

#include <fcntl.h>
#include <catch2/catch.hpp>

#include <cmath>
#include <ctime>
#include <set>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

const prometheus::MetricFamily* find(const std::vector<prometheus::MetricFamily>& families,
                                     std::string_view name) {
    for (const auto& family : families) {
        if (family.name == name) {
            return &family;
        }
    }
    return nullptr;
}

double value_of(const SelfMetrics& metrics, std::string_view name) {
    const auto families = metrics.collect();
    const auto* family = find(families, name);
    if (family == nullptr || family->metric.size() != 1) {
        return NAN;
    }
    return family->type == prometheus::MetricType::Counter ? family->metric[0].counter.value
                                                           : family->metric[0].gauge.value;
}

TEST_CASE("every family of the catalogue has a name of its own, a meaning and a source") {
    std::set<std::string_view> names;
    for (const auto& spec : SelfMetrics::catalogue()) {
        CAPTURE(spec.name);
        CHECK(names.insert(spec.name).second);
        CHECK((spec.name.starts_with("plimsoll_") || spec.name.starts_with("process_")));
        CHECK(spec.name.ends_with("_total") == (spec.type == MetricType::counter));
        CHECK(spec.help.ends_with('.'));
        CHECK_FALSE(spec.source.empty());
        CHECK((spec.unit.empty() || spec.name.find(spec.unit) != std::string_view::npos));
    }
}

TEST_CASE("what is exported is in the catalogue, with its type and its help") {
    SelfMetrics metrics;
    for (const auto& spec : SelfMetrics::catalogue()) {
        metrics.set(spec.name, 1);
    }
    metrics.update_process();
    const auto families = metrics.collect();
    CHECK(families.size() == SelfMetrics::catalogue().size());
    for (const auto& spec : SelfMetrics::catalogue()) {
        CAPTURE(spec.name);
        const auto* family = find(families, spec.name);
        REQUIRE(family != nullptr);
        CHECK(family->help == spec.help);
        CHECK((family->type == prometheus::MetricType::Counter) == (spec.type == MetricType::counter));
    }
}

TEST_CASE("counters never go back; gauges follow") {
    SelfMetrics metrics;
    metrics.set("plimsoll_events_lost_total", 23);
    metrics.set("plimsoll_events_lost_total", 5);
    CHECK(value_of(metrics, "plimsoll_events_lost_total") == 23);
    metrics.set("plimsoll_events_lost_total", NAN);
    CHECK(value_of(metrics, "plimsoll_events_lost_total") == 23);
    metrics.set("plimsoll_events_lost_total", 29);
    CHECK(value_of(metrics, "plimsoll_events_lost_total") == 29);
    metrics.set("plimsoll_containers_overflow", 23);
    metrics.set("plimsoll_containers_overflow", 5);
    CHECK(value_of(metrics, "plimsoll_containers_overflow") == 5);
}

TEST_CASE("a counter that starts at zero is there from the start") {
    SelfMetrics metrics;
    metrics.set("plimsoll_events_lost_total", 0);
    CHECK(value_of(metrics, "plimsoll_events_lost_total") == 0);
}

TEST_CASE("label values have series of their own") {
    SelfMetrics metrics;
    metrics.set("plimsoll_events_total", 23, {{"kind", "exec"}});
    metrics.set("plimsoll_events_total", 29, {{"kind", "exit"}});
    metrics.set("plimsoll_events_total", 24, {{"kind", "exec"}});
    const auto families = metrics.collect();
    const auto* family = find(families, "plimsoll_events_total");
    REQUIRE(family != nullptr);
    REQUIRE(family->metric.size() == 2);
    CHECK(family->metric[0].counter.value + family->metric[1].counter.value == 53);
}

TEST_CASE("the agent's own use of CPU, memory and descriptors is what the kernel says") {
    SelfMetrics metrics;
    metrics.update_process();
    const double descriptors = value_of(metrics, "process_open_fds");
    CHECK(descriptors >= 3);
    const UniqueFd one(open("/dev/null", O_RDONLY | O_CLOEXEC)), two(open("/dev/null", O_RDONLY | O_CLOEXEC));
    metrics.update_process();
    CHECK(value_of(metrics, "process_open_fds") == descriptors + 2);
    CHECK(value_of(metrics, "process_resident_memory_bytes") > 1e6);
    const auto now = static_cast<double>(std::time(nullptr));
    CHECK(value_of(metrics, "process_start_time_seconds") <= now + 1);
    CHECK(value_of(metrics, "process_start_time_seconds") > now - 3600);
    const std::clock_t until = std::clock() + CLOCKS_PER_SEC / 20;
    const double before = value_of(metrics, "process_cpu_seconds_total");
    while (std::clock() < until) {
    }
    metrics.update_process();
    CHECK(value_of(metrics, "process_cpu_seconds_total") >= before + 0.04);
}

}  // namespace
}  // namespace plimsoll
