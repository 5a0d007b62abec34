// SPDX-License-Identifier: Apache-2.0
#include "sample_snapshot.h"

namespace plimsoll::testing {
namespace {

constexpr MetricSpec kThread{"container_thread_seconds_total",
                             MetricType::counter,
                             "seconds",
                             "state",
                             "Time of all threads in each \"state\".",
                             "test"};
constexpr MetricSpec kLatency{"container_run_queue_latency_seconds",
                              MetricType::histogram,
                              "seconds",
                              "",
                              "Time from runnable to running.",
                              "test"};
constexpr MetricSpec kCores{
    "container_cpu_usage_cores", MetricType::gauge, "", "window", "Smoothed.", "test"};
constexpr MetricSpec kFailcnt{"container_memory_failcnt", MetricType::counter, "", "", "Limit hits.", "test"};

void add_containers(Snapshot& snapshot) {
    snapshot.containers = {std::make_shared<const std::string>(R"(id="/docker/a",name="web",image="nginx")"),
                           std::make_shared<const std::string>(R"(id="/b\\x2d",name="say \"hi\"")")};
    snapshot.fragments.emplace_back(R"(window="10s")");
    snapshot.families = {
        {&kThread,
         {{.container = 0, .fragment = R"(state="running")", .value = Number::nanoseconds(1'500'000'000)},
          {.container = 0,
           .fragment = R"(state="sleep")",
           .value = Number::nanoseconds(9'007'199'254'740'993)},
          {.container = 1, .fragment = R"(state="running")", .value = Number::nanoseconds(0)}}},
        {&kLatency, {{.container = 0, .fragment = "", .value = Number::count(0)}}},
        {&kCores, {{.container = 1, .fragment = snapshot.fragments[0], .value = Number::value(0.25)}}},
        {&kFailcnt, {{.container = 0, .fragment = "", .value = Number::count(23)}}}};
    HistogramValue latency{};
    latency.buckets[0] = 2;
    latency.buckets[10] = 3;
    latency.buckets[kTimeBounds] = 1;
    latency.sum_ns = 20'000'003'001;
    snapshot.histograms.push_back(latency);
}

prometheus::ClientMetric labelled(std::string name, std::string value) {
    prometheus::ClientMetric metric;
    metric.label.push_back({std::move(name), std::move(value)});
    return metric;
}

void add_self(Snapshot& snapshot) {
    auto events = labelled("kind", "exec");
    events.counter.value = 1e6;
    auto up = labelled("probe", "ledger");
    up.gauge.value = 1;
    prometheus::ClientMetric histogram;
    histogram.histogram = {.sample_count = 5, .sample_sum = 1.25, .bucket = {{2, 0.5}, {4, 1}}};
    prometheus::ClientMetric summary;
    summary.summary = {.sample_count = 2, .sample_sum = 0.5, .quantile = {{0.5, 0.25}}};
    snapshot.self = {
        {"plimsoll_events_total", "Events read.", prometheus::MetricType::Counter, {events}},
        {"plimsoll_probe_up", "1 when the probe works.", prometheus::MetricType::Gauge, {up}},
        {"plimsoll_sample_seconds", "Sampling.", prometheus::MetricType::Histogram, {histogram}},
        {"plimsoll_summary", "", prometheus::MetricType::Summary, {summary}},
        {"plimsoll_untyped", "Untyped.", prometheus::MetricType::Untyped, {prometheus::ClientMetric{}}}};
}

std::string latency_lines() {
    const std::string labels = R"(id="/docker/a",name="web",image="nginx")";
    const char* bounds[] = {"1e-06",    "2e-06",    "4e-06",    "8e-06",    "1.6e-05",
                            "3.2e-05",  "6.4e-05",  "0.000128", "0.000256", "0.000512",
                            "0.001024", "0.002048", "0.004096", "0.008192", "0.016384",
                            "0.032768", "0.065536", "0.131072", "0.262144", "0.524288",
                            "1.048576", "2.097152", "4.194304", "8.388608", "16.777216"};
    std::string lines;
    for (int k = 0; k < 25; ++k) {
        lines += "container_run_queue_latency_seconds_bucket{" + labels + ",le=\"" + bounds[k] + "\"} " +
                 (k < 10 ? "2" : "5") + "\n";
    }
    return lines + "container_run_queue_latency_seconds_bucket{" + labels + ",le=\"+Inf\"} 6\n" +
           "container_run_queue_latency_seconds_sum{" + labels + "} 20.000003001\n" +
           "container_run_queue_latency_seconds_count{" + labels + "} 6\n";
}

constexpr const char* kThreadLines =
    R"(container_thread_seconds_total{id="/docker/a",name="web",image="nginx",state="running"} 1.5
container_thread_seconds_total{id="/docker/a",name="web",image="nginx",state="sleep"} 9007199.254740993
container_thread_seconds_total{id="/b\\x2d",name="say \"hi\"",state="running"} 0
)";

constexpr const char* kCoresLines = R"(# HELP container_cpu_usage_cores Smoothed.
# TYPE container_cpu_usage_cores gauge
container_cpu_usage_cores{id="/b\\x2d",name="say \"hi\"",window="10s"} 0.25
# HELP container_memory_failcnt Limit hits.
)";

constexpr const char* kFailcntLine = R"(container_memory_failcnt{id="/docker/a",name="web",image="nginx"} 23
)";

constexpr const char* kSelfLines = R"(plimsoll_events_total{kind="exec"} 1000000
# HELP plimsoll_probe_up 1 when the probe works.
# TYPE plimsoll_probe_up gauge
plimsoll_probe_up{probe="ledger"} 1
# HELP plimsoll_sample_seconds Sampling.
# TYPE plimsoll_sample_seconds histogram
)";

constexpr const char* kSelfTail = R"(plimsoll_sample_seconds_bucket{le="0.5"} 2
plimsoll_sample_seconds_bucket{le="1.0"} 4
plimsoll_sample_seconds_bucket{le="+Inf"} 5
plimsoll_sample_seconds_sum 1.25
plimsoll_sample_seconds_count 5
# TYPE plimsoll_summary summary
plimsoll_summary{quantile="0.5"} 0.25
plimsoll_summary_sum 0.5
plimsoll_summary_count 2
# HELP plimsoll_untyped Untyped.
)";

}  // namespace

Snapshot sample_snapshot() {
    Snapshot snapshot;
    add_containers(snapshot);
    add_self(snapshot);
    return snapshot;
}

std::string golden_text() {
    return std::string(R"(# HELP container_thread_seconds_total Time of all threads in each "state".
# TYPE container_thread_seconds_total counter
)") + kThreadLines +
           "# HELP container_run_queue_latency_seconds Time from runnable to running.\n"
           "# TYPE container_run_queue_latency_seconds histogram\n" +
           latency_lines() + kCoresLines + "# TYPE container_memory_failcnt counter\n" + kFailcntLine +
           "# HELP plimsoll_events_total Events read.\n# TYPE plimsoll_events_total counter\n" + kSelfLines +
           kSelfTail + "# TYPE plimsoll_untyped untyped\nplimsoll_untyped 0\n";
}

std::string golden_openmetrics() {
    return std::string(R"(# HELP container_thread_seconds Time of all threads in each \"state\".
# TYPE container_thread_seconds counter
# UNIT container_thread_seconds seconds
)") + kThreadLines +
           "# HELP container_run_queue_latency_seconds Time from runnable to running.\n"
           "# TYPE container_run_queue_latency_seconds histogram\n"
           "# UNIT container_run_queue_latency_seconds seconds\n" +
           latency_lines() + kCoresLines + "# TYPE container_memory_failcnt unknown\n" + kFailcntLine +
           "# HELP plimsoll_events Events read.\n# TYPE plimsoll_events counter\n" + kSelfLines +
           "# UNIT plimsoll_sample_seconds seconds\n" + kSelfTail +
           "# TYPE plimsoll_untyped unknown\nplimsoll_untyped 0\n# EOF\n";
}

}  // namespace plimsoll::testing
