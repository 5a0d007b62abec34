// SPDX-License-Identifier: Apache-2.0
// Rendering a page of 100,000 series: our writer against prometheus-cpp's serializer on the same data in the
// same run, and compression against rendering. Prints `name value` lines. Ratios are what counts; rates
// depend on the machine.
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <sstream>

#include "exposition/gzip.h"
#include "exposition/labels.h"
#include "exposition/text.h"

namespace plimsoll {
namespace {

constexpr int kContainers = 1000;
constexpr int kFamilies = 100;
constexpr int kRounds = 5;
constexpr MetricSpec kPattern{"", MetricType::counter, "seconds", "", "What the bench renders.", "bench"};

struct Data {
    std::deque<std::string> names;
    std::deque<MetricSpec> specs;
    Snapshot ours;
    std::vector<prometheus::MetricFamily> theirs;
};

Container container(int i) {
    const std::string id =
        std::to_string(1'000'000'007LL * (i + 1)) + "a4f1e0c9d2b3786655443322110ffeeddccbbaa9988";
    Container made;
    made.cgroup = "/system.slice/docker-" + id + ".scope";
    made.name = "service-" + std::to_string(i);
    made.image = "registry.example.com/team/service:1." + std::to_string(i);
    return made;
}

void add_series(Data& data, FamilySamples& ours, prometheus::MetricFamily& theirs, int family) {
    for (int i = 0; i < kContainers; ++i) {
        const std::uint64_t value = 1'000'003ULL * (i + 1) * (family + 1);
        ours.samples.push_back({.container = static_cast<std::uint32_t>(i),
                                .fragment = R"(state="running")",
                                .value = Number::nanoseconds(value)});
        const Container made = container(i);
        prometheus::ClientMetric metric;
        metric.label = {
            {"id", made.cgroup}, {"name", made.name}, {"image", made.image}, {"state", "running"}};
        metric.counter.value = static_cast<double>(value) / 1e9;
        theirs.metric.push_back(std::move(metric));
    }
    data.ours.families.push_back(std::move(ours));
    data.theirs.push_back(std::move(theirs));
}

void fill(Data& data) {
    for (int i = 0; i < kContainers; ++i) {
        data.ours.containers.push_back(std::make_shared<const std::string>(render_labels(container(i))));
    }
    for (int k = 0; k < kFamilies; ++k) {
        data.names.push_back("container_bench_" + std::to_string(k) + "_seconds_total");
        MetricSpec spec = kPattern;
        spec.name = data.names.back();
        data.specs.push_back(spec);
        FamilySamples ours{&data.specs.back(), {}};
        prometheus::MetricFamily theirs{
            data.names.back(), "What the bench renders.", prometheus::MetricType::Counter, {}};
        add_series(data, ours, theirs, k);
    }
}

/// The best of several rounds: noise only ever adds.
double best_seconds(const std::function<void()>& work) {
    double best = 1e9;
    for (int round = 0; round < kRounds; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        best =
            std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
}

void run() {
    Data data;
    fill(data);
    Rendered text;
    std::string compressed;
    GzipEncoder encoder;
    const prometheus::TextSerializer serializer;
    const double ours = best_seconds([&] { render(data.ours, TextFormat::prometheus, text); });
    const double open = best_seconds([&] { render(data.ours, TextFormat::openmetrics, text); });
    const double theirs = best_seconds([&] {
        std::ostringstream out;
        serializer.Serialize(out, data.theirs);
    });
    Rendered pieces;
    const double gzip = best_seconds([&] {
        encoder.start(compressed);
        render(data.ours, TextFormat::prometheus, pieces,
               [&](std::string_view piece) { encoder.append(piece); });
        encoder.finish();
    });
    const auto series = static_cast<double>(text.series);
    std::printf("exposition_series %.0f\n", series);
    std::printf("exposition_page_bytes %zu\n", text.body.size());
    std::printf("exposition_gzip_bytes %zu\n", compressed.size());
    std::printf("exposition_series_per_second %.0f\n", series / ours);
    std::printf("exposition_openmetrics_ratio %.2f\n", open / ours);
    std::printf("exposition_gzip_ratio %.2f\n", (gzip - ours) / ours);
    std::printf("exposition_speedup %.1f\n", theirs / ours);
}

}  // namespace
}  // namespace plimsoll

int main() {
    plimsoll::run();
}
