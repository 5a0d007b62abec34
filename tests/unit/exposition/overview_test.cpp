// SPDX-License-Identifier: Apache-2.0
#include "exposition/overview.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "container_snapshot.h"
#include "exposition/label_reader.h"

namespace plimsoll {
namespace {

using testing::ContainerSnapshot;
using testing::named;

std::string names(const std::vector<ContainerRow>& rows) {
    std::string text;
    for (const ContainerRow& row : rows) {
        text += (text.empty() ? "" : " ") + row.name;
    }
    return text;
}

/// A row with its name and what it is sorted by: CPU, wait, memory, threads.
ContainerRow row(std::string name, std::optional<double> cpu, std::optional<double> wait,
                 std::optional<double> memory, std::optional<double> threads) {
    ContainerRow row;
    row.name = std::move(name);
    row.cpu_cores = cpu;
    row.wait_cores = wait;
    row.memory_bytes = memory;
    row.threads = threads;
    return row;
}

ContainerRow row(std::string name, std::vector<std::pair<std::string, double>> states) {
    ContainerRow row;
    row.name = std::move(name);
    row.states = std::move(states);
    return row;
}

}  // namespace

TEST_CASE("A label reads back as what was rendered, whatever it holds") {
    for (const std::string value :
         {"web", "a\"b\\c\nd", "\\", "\\n", "name=\"x\"", R"(",image="evil)", "comma, equals=", "ü"}) {
        const std::string labels = render_labels(named(value, value + "!", "/c"));
        INFO(labels);
        CHECK(label_value(labels, "id") == "/c");
        CHECK(label_value(labels, "name") == value);
        CHECK(label_value(labels, "image") == value + "!");
        CHECK(label_value(labels, "pod").empty());
    }
    for (const char* broken : {"", "id", "id=", "id=\"", "id=\"a", "id=\"a\\", ",,,", "=\"\""}) {
        CHECK(label_value(broken, "name").empty());
    }
}

TEST_CASE("Each number of a container is found by its family's name") {
    ContainerSnapshot snapshot({named("a"), named("b")});
    snapshot.family("container_cpu_usage_cores",
                    {{0, 0.5, R"(window="1s")"}, {0, 0.4, R"(window="10s")"}, {1, 1.5, R"(window="1s")"}});
    snapshot.family("container_cpu_usage_cores_peak",
                    {{0, 0.6, R"(window="1s")"}, {0, 0.9, R"(window="2m")"}, {0, 0.8, R"(window="60s")"}});
    snapshot.family("container_cpu_wait_cores", {{1, 0.25, R"(window="1s")"}});
    snapshot.family("container_memory_working_set_bytes", {{0, 1000, ""}});
    snapshot.family("container_spec_memory_limit_bytes", {{0, 2000, ""}, {1, 0, ""}});
    snapshot.family("container_threads", {{0, 3, ""}}).family("container_processes", {{0, 2, ""}});
    snapshot.family("container_thread_states", {{0, 2, R"(state="futex")"}, {0, 0, R"(state="disk")"}});
    snapshot.family("container_oom_events_total", {{0, 4, ""}});
    snapshot.family("container_start_time_seconds", {{0, 1'699'999'900, ""}});
    snapshot.family("container_last_seen", {{0, 1'700'000'000.5, ""}, {1, 1'699'999'990, ""}});
    const Overview overview = make_overview(snapshot.get());
    REQUIRE(names(overview.rows) == "a b");
    CHECK(overview.now_window == "1s");
    CHECK(overview.peak_window == "2m");
    const ContainerRow& a = overview.rows[0];
    CHECK(a.cpu_cores == 0.5);
    CHECK(a.cpu_peak_cores == 0.9);
    CHECK_FALSE(a.wait_cores);
    CHECK(a.memory_bytes == 1000);
    CHECK(a.memory_limit_bytes == 2000);
    CHECK(a.threads == 3);
    CHECK(a.processes == 2);
    CHECK(a.states == std::vector<std::pair<std::string, double>>{{"futex", 2}});
    CHECK(a.oom_kills == 4);
    CHECK(a.age_seconds == 100);
    CHECK_FALSE(a.ended_seconds);
    CHECK(a.runtime == "docker");
    const ContainerRow& b = overview.rows[1];
    CHECK(b.cpu_cores == 1.5);
    CHECK(b.wait_cores == 0.25);
    CHECK_FALSE(b.memory_limit_bytes);
    CHECK(b.ended_seconds == 10);
}

TEST_CASE("Without a window of 1s the first one is what happens now") {
    ContainerSnapshot snapshot({named("a")});
    snapshot.family("container_cpu_usage_cores", {{0, 0.5, R"(window="5s")"}, {0, 0.4, R"(window="10s")"}});
    const Overview overview = make_overview(snapshot.get());
    CHECK(overview.now_window == "5s");
    CHECK(overview.rows[0].cpu_cores == 0.5);
    CHECK_FALSE(overview.rows[0].cpu_peak_cores);
}

TEST_CASE("Families that nobody gives leave their numbers out") {
    const ContainerSnapshot snapshot({named("a")});
    const Overview overview = make_overview(snapshot.get());
    REQUIRE(overview.rows.size() == 1);
    const ContainerRow& row = overview.rows[0];
    for (const auto& number :
         {row.cpu_cores, row.cpu_peak_cores, row.wait_cores, row.memory_bytes, row.memory_limit_bytes,
          row.threads, row.processes, row.age_seconds, row.ended_seconds}) {
        CHECK_FALSE(number);
    }
    CHECK(row.states.empty());
    CHECK(make_overview(Snapshot{}).rows.empty());
}

TEST_CASE("Numbers that are none are left out") {
    ContainerSnapshot snapshot({named("a")});
    snapshot.family("container_memory_working_set_bytes", {{0, NAN, ""}})
        .family("container_threads", {{0, INFINITY, ""}})
        .family("container_processes", {{0, -1, ""}, {7, 3, ""}, {kNoContainer, 3, ""}});
    const Overview overview = make_overview(snapshot.get());
    CHECK_FALSE(overview.rows[0].memory_bytes);
    CHECK_FALSE(overview.rows[0].threads);
    CHECK_FALSE(overview.rows[0].processes);
}

TEST_CASE("Pods and slices have values but no row") {
    ContainerSnapshot snapshot({named("a")});
    const std::uint32_t group = snapshot.add_group(named("", "", "/system.slice"));
    snapshot.family("container_memory_working_set_bytes", {{0, 1, ""}, {group, 2, ""}});
    CHECK(names(make_overview(snapshot.get()).rows) == "a");
}

TEST_CASE("A container is called by its name, its pod, or the end of its path") {
    Container pod = named("k8s_front", "front:3", "/kubepods/x");
    pod.pod = "shop-7f9";
    pod.pod_container = "front";
    pod.pod_namespace = "prod";
    const ContainerSnapshot snapshot({named("web", "nginx"), pod, named("", "", "/system.slice/a.service"),
                                      named("plain", "", "/c"), named("", "", "/")});
    const auto rows = make_overview(snapshot.get()).rows;
    CHECK(names(rows) == "web shop-7f9/front a.service plain ");
    CHECK(rows[0].detail == "nginx");
    CHECK(rows[1].detail == "prod · front:3");
    CHECK(rows[2].detail == "/system.slice/a.service");
    CHECK(rows[3].detail == "/c");
}

TEST_CASE("Only the five words sort the page, everything else is the default") {
    CHECK(sort_key_of("") == SortKey::cpu);
    CHECK(sort_key_of("sort=wait") == SortKey::wait);
    CHECK(sort_key_of("sort=memory") == SortKey::memory);
    CHECK(sort_key_of("a=b&sort=threads&c") == SortKey::threads);
    CHECK(sort_key_of("sort=name") == SortKey::name);
    CHECK(sort_key_of("sort=x&sort=name") == SortKey::name);
    for (const std::string query : {"sort", "sort=", "sort=Name", "sort=name%00", "sort=name ", "resort=name",
                                    "sort=<script>", "&&&&", "=", "\xff", "sort=n%61me"}) {
        INFO(query);
        CHECK(sort_key_of(query) == SortKey::cpu);
    }
    CHECK(sort_key_of(std::string(100'000, '&') + std::string(100'000, 's')) == SortKey::cpu);
}

TEST_CASE("Rows are sorted by each key, the unknown and the ended last, ties by name") {
    constexpr std::nullopt_t kNone = std::nullopt;
    const ContainerRow idle = row("idle", 0, 0.1, 5, kNone);
    const ContainerRow busy = row("busy", 2, 0.3, 1, kNone);
    const ContainerRow tied = row("also", 2, kNone, 9, 3);
    const ContainerRow blank = row("blank", kNone, kNone, kNone, 7);
    ContainerRow ended = row("a", 9, kNone, kNone, 9);
    ended.ended_seconds = 1;
    const auto sorted = [&](SortKey key) {
        std::vector rows{idle, ended, busy, blank, tied};
        sort_rows(rows, key);
        return names(rows);
    };
    CHECK(sorted(SortKey::cpu) == "also busy idle blank a");
    CHECK(sorted(SortKey::wait) == "busy idle also blank a");
    CHECK(sorted(SortKey::memory) == "also idle busy blank a");
    CHECK(sorted(SortKey::threads) == "blank also busy idle a");
    CHECK(sorted(SortKey::name) == "also blank busy idle a");
}

TEST_CASE("Without CPU numbers, who runs or wants to is first") {
    std::vector<ContainerRow> rows{row("sleeper", {{"sleep", 9}}), row("waiter", {{"runnable", 1}}),
                                   row("runner", {{"running", 1}, {"runnable", 1}})};
    sort_rows(rows, SortKey::cpu);
    CHECK(names(rows) == "runner waiter sleeper");
}

TEST_CASE("What the agent says of itself is on the overview") {
    ContainerSnapshot snapshot({});
    snapshot.self("plimsoll_probe_up", 1, "process").self("plimsoll_probe_up", 1, "ledger");
    snapshot.self("plimsoll_probe_up", 0, "block").self("plimsoll_scrape_duration_seconds", 0.004);
    snapshot.self("plimsoll_containers_overflow", 3);
    const Overview overview = make_overview(snapshot.get());
    CHECK(overview.probes_up == std::vector<std::string>{"ledger", "process"});
    CHECK(overview.probes_down == std::vector<std::string>{"block"});
    CHECK(overview.scrape_seconds == 0.004);
    CHECK(overview.overflow == 3);
}

}  // namespace plimsoll
