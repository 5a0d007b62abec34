// SPDX-License-Identifier: Apache-2.0
#include "exposition/text.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "exposition/labels.h"
#include "exposition/sample_writer.h"
#include "page_parser.h"
#include "sample_snapshot.h"

namespace plimsoll {
namespace {

using testing::PageParser;
using testing::sample_snapshot;

constexpr MetricSpec kCount{"container_things_total", MetricType::counter, "", "", "Things.", "test"};
constexpr MetricSpec kBytes{"container_memory_bytes", MetricType::gauge, "bytes", "", "Memory.", "test"};
constexpr MetricSpec kFailcnt{"container_memory_failcnt", MetricType::counter, "", "", "Failures.", "test"};

std::string page(const Snapshot& snapshot, TextFormat format) {
    Rendered out;
    render(snapshot, format, out);
    return out.body;
}

/// One container, one family, one value.
Snapshot snapshot_of(const MetricSpec& spec, Number value, std::string labels = R"(id="/a")") {
    Snapshot snapshot;
    snapshot.containers.push_back(std::make_shared<const std::string>(std::move(labels)));
    snapshot.families.push_back({&spec, {{.container = 0, .fragment = "", .value = value}}});
    return snapshot;
}

}  // namespace

TEST_CASE("The text page is byte for byte what the golden page says") {
    CHECK(page(sample_snapshot(), TextFormat::prometheus) == testing::golden_text());
}

TEST_CASE("The OpenMetrics page is byte for byte what the golden page says") {
    CHECK(page(sample_snapshot(), TextFormat::openmetrics) == testing::golden_openmetrics());
}

TEST_CASE("A strict parser reads both pages and finds as many series as were counted") {
    for (const TextFormat format : {TextFormat::prometheus, TextFormat::openmetrics}) {
        Rendered out;
        render(sample_snapshot(), format, out);
        std::size_t series = 0;
        for (const auto& family : PageParser::parse(out.body, format == TextFormat::openmetrics)) {
            series += family.samples.size();
        }
        CHECK(series == out.series);
        CHECK(series > 30);
    }
}

TEST_CASE("An empty snapshot is an empty page, in OpenMetrics one with its end") {
    CHECK(page({}, TextFormat::prometheus).empty());
    CHECK(page({}, TextFormat::openmetrics) == "# EOF\n");
}

TEST_CASE("A family without samples is left out") {
    Snapshot snapshot = snapshot_of(kCount, Number::count(1));
    snapshot.families.push_back({&kBytes, {}});
    snapshot.self.push_back({"plimsoll_nothing", "help", prometheus::MetricType::Gauge, {}});
    const std::string text = page(snapshot, TextFormat::prometheus);
    CHECK(text.find("container_memory_bytes") == std::string::npos);
    CHECK(text.find("plimsoll_nothing") == std::string::npos);
}

TEST_CASE("A series of the whole machine has no labels") {
    Snapshot snapshot;
    snapshot.families.push_back({&kBytes, {{kNoContainer, "", Number::count(7)}}});
    CHECK_THAT(page(snapshot, TextFormat::prometheus), Catch::EndsWith("\ncontainer_memory_bytes 7\n"));
}

TEST_CASE("A family gets from another probe what its own has nothing for, in the order of the containers") {
    Snapshot snapshot = snapshot_of(kBytes, Number::count(1), R"(id="/b")");
    snapshot.families.back().samples.front().container = 1;
    snapshot.containers.insert(snapshot.containers.begin(),
                               std::make_shared<const std::string>(R"(id="/a")"));
    SampleWriter writer(snapshot);
    {
        auto supplement = writer.supplement(kBytes);
        supplement.add(1, "", Number::count(2));
        supplement.add(0, "", Number::count(3));
    }
    {
        auto supplement = writer.supplement(kCount);
        supplement.add(0, "", Number::count(4));
    }
    CHECK_THAT(
        page(snapshot, TextFormat::prometheus),
        Catch::Contains("container_memory_bytes{id=\"/a\"} 3\ncontainer_memory_bytes{id=\"/b\"} 1\n") &&
            Catch::EndsWith("container_things_total{id=\"/a\"} 4\n"));
}

TEST_CASE("What was supplied of a container before replaces what the family's own probe has found since") {
    Snapshot snapshot = snapshot_of(kBytes, Number::count(1), R"(id="/a")");
    SampleWriter writer(snapshot);
    {
        auto supplement = writer.supplement(kBytes);
        CHECK_FALSE(supplement.lacks(0));
        supplement.replace(0);
        CHECK(supplement.lacks(0));
        supplement.add(0, "", Number::count(7));
    }
    CHECK_THAT(page(snapshot, TextFormat::prometheus),
               Catch::EndsWith("\ncontainer_memory_bytes{id=\"/a\"} 7\n"));
}

TEST_CASE("A buffer that is used again holds only the new page") {
    Rendered out;
    render(sample_snapshot(), TextFormat::prometheus, out);
    render(snapshot_of(kCount, Number::count(7)), TextFormat::prometheus, out);
    CHECK(out.series == 1);
    CHECK(out.body ==
          "# HELP container_things_total Things.\n# TYPE container_things_total counter\n"
          "container_things_total{id=\"/a\"} 7\n");
}

TEST_CASE("OpenMetrics names a counter without _total and calls one without it unknown") {
    const std::string counter = page(snapshot_of(kCount, Number::count(1)), TextFormat::openmetrics);
    CHECK(counter.find("# TYPE container_things counter\n") != std::string::npos);
    CHECK(counter.find("container_things_total{id=\"/a\"} 1\n") != std::string::npos);
    const std::string unknown = page(snapshot_of(kFailcnt, Number::count(1)), TextFormat::openmetrics);
    CHECK(unknown.find("# TYPE container_memory_failcnt unknown\n") != std::string::npos);
    const std::string text = page(snapshot_of(kFailcnt, Number::count(1)), TextFormat::prometheus);
    CHECK(text.find("# TYPE container_memory_failcnt counter\n") != std::string::npos);
}

TEST_CASE("OpenMetrics calls a gauge unknown whose name ends like a counter's") {
    constexpr MetricSpec kInodes{
        "container_fs_inodes_total", MetricType::gauge, "", "device", "Inodes.", "test"};
    const std::string unknown = page(snapshot_of(kInodes, Number::count(1)), TextFormat::openmetrics);
    CHECK(unknown.find("# TYPE container_fs_inodes_total unknown\n") != std::string::npos);
    CHECK(unknown.find("container_fs_inodes_total{id=\"/a\"} 1\n") != std::string::npos);
    const std::string text = page(snapshot_of(kInodes, Number::count(1)), TextFormat::prometheus);
    CHECK(text.find("# TYPE container_fs_inodes_total gauge\n") != std::string::npos);
}

TEST_CASE("OpenMetrics gives the unit where the name ends in it, text 0.0.4 never") {
    const Snapshot snapshot = snapshot_of(kBytes, Number::count(1));
    CHECK(page(snapshot, TextFormat::openmetrics).find("# UNIT container_memory_bytes bytes\n") !=
          std::string::npos);
    CHECK(page(snapshot, TextFormat::prometheus).find("UNIT") == std::string::npos);
    constexpr MetricSpec kOther{"container_memory_max", MetricType::gauge, "bytes", "", "Limit.", "test"};
    CHECK(page(snapshot_of(kOther, Number::count(1)), TextFormat::openmetrics).find("UNIT") ==
          std::string::npos);
}

TEST_CASE("HELP is escaped as each format demands") {
    constexpr MetricSpec kSpec{"m", MetricType::gauge, "", "", "a \"b\" \\ c\nd", "test"};
    const Snapshot snapshot = snapshot_of(kSpec, Number::count(1));
    CHECK(page(snapshot, TextFormat::prometheus).starts_with("# HELP m a \"b\" \\\\ c\\nd\n"));
    CHECK(page(snapshot, TextFormat::openmetrics).starts_with("# HELP m a \\\"b\\\" \\\\ c\\nd\n"));
    CHECK(PageParser::parse(page(snapshot, TextFormat::prometheus), false).at(0).help == kSpec.help);
    CHECK(PageParser::parse(page(snapshot, TextFormat::openmetrics), true).at(0).help == kSpec.help);
}

TEST_CASE("A family that occurs twice is noticed, also between the containers' and the agent's own") {
    Snapshot snapshot = snapshot_of(kCount, Number::count(1));
    CHECK_FALSE(repeated_family(snapshot));
    snapshot.self.push_back({"container_things_total", "", prometheus::MetricType::Counter, {}});
    CHECK(repeated_family(snapshot) == "container_things_total");
    snapshot.self.clear();
    snapshot.families.push_back({&kCount, {}});
    CHECK(repeated_family(snapshot) == "container_things_total");
}

TEST_CASE("A series without any label has no braces, a bucket has le all the same") {
    Snapshot snapshot = snapshot_of(kCount, Number::count(3), "");
    CHECK(page(snapshot, TextFormat::prometheus).ends_with("\ncontainer_things_total 3\n"));
    snapshot.families[0].samples[0].fragment = R"(kind="x")";
    CHECK(page(snapshot, TextFormat::prometheus).ends_with("\ncontainer_things_total{kind=\"x\"} 3\n"));
    constexpr MetricSpec kHistogram{"h_seconds", MetricType::histogram, "seconds", "", "", "test"};
    snapshot.families[0].spec = &kHistogram;
    snapshot.families[0].samples[0] = {.container = 0, .fragment = "", .value = Number::count(0)};
    snapshot.histograms.emplace_back();
    CHECK(page(snapshot, TextFormat::prometheus).find("h_seconds_bucket{le=\"1e-06\"} 0\n") !=
          std::string::npos);
    CHECK(page(snapshot, TextFormat::prometheus).ends_with("h_seconds_sum 0\nh_seconds_count 0\n"));
}

TEST_CASE("Histogram buckets are cumulative and end with the count") {
    Snapshot snapshot = sample_snapshot();
    const auto families = PageParser::parse(page(snapshot, TextFormat::openmetrics), true);
    const auto found =
        std::ranges::find(families, "container_run_queue_latency_seconds", &testing::ParsedFamily::name);
    REQUIRE(found != families.end());
    REQUIRE(found->samples.size() == kTimeBounds + 3);
    std::uint64_t last = 0;
    for (std::size_t i = 0; i <= kTimeBounds; ++i) {
        const std::uint64_t count = std::stoull(found->samples[i].value);
        CHECK(count >= last);
        last = count;
    }
    CHECK(found->samples[kTimeBounds].labels.at("le") == "+Inf");
    CHECK(found->samples[kTimeBounds].value == found->samples.back().value);
}

TEST_CASE("Hostile labels of a container and of the agent's own families parse in both formats") {
    Container container;
    container.cgroup = std::string("/x\"}\n# EOF\n\\\0\xFF", 14);
    container.name = "evil\" 1\nfake_metric{a=\"b\"} 2\n";
    Snapshot snapshot = snapshot_of(kCount, Number::count(1), render_labels(container));
    prometheus::ClientMetric metric;
    metric.label.push_back({"kind", "a\"b\\\n\xC0"});
    snapshot.self.push_back({"plimsoll_events_total", "H\n\\", prometheus::MetricType::Counter, {metric}});
    for (const TextFormat format : {TextFormat::prometheus, TextFormat::openmetrics}) {
        const auto families = PageParser::parse(page(snapshot, format), format == TextFormat::openmetrics);
        REQUIRE(families.size() == 2);
        CHECK(families[0].samples.size() == 1);
        CHECK(families[0].samples[0].labels.at("name") == container.name);
        CHECK(families[1].samples[0].labels.at("kind") == "a\"b\\\n\xEF\xBF\xBD");
    }
}

TEST_CASE("Special doubles of gauges are written in words") {
    CHECK(page(snapshot_of(kBytes, Number::value(NAN)), TextFormat::prometheus).ends_with(" NaN\n"));
    CHECK(page(snapshot_of(kBytes, Number::value(-INFINITY)), TextFormat::openmetrics)
              .ends_with(" -Inf\n# EOF\n"));
}

}  // namespace plimsoll
