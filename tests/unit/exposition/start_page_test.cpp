// SPDX-License-Identifier: Apache-2.0
#include "exposition/start_page.h"

#include <catch2/catch.hpp>

#include "container_snapshot.h"
#include "exposition/html.h"
#include "html_check.h"
#include "page_parser.h"

namespace plimsoll {
namespace {

using testing::html_problem;
using testing::texts_of;

constexpr double kMiB = 1 << 20;

std::string page_of(std::vector<ContainerRow> rows, SortKey sort = SortKey::cpu) {
    Overview overview;
    overview.rows = std::move(rows);
    overview.taken_unix_ns = testing::kTakenNs;
    return StartPage("1.2.3", {"host<1>", 1024 * kMiB}, sort).table(overview);
}

ContainerRow row(std::string name) {
    ContainerRow row;
    row.name = row.detail = std::move(name);
    row.id = "/docker/" + row.name;
    row.runtime = "docker";
    return row;
}

bool has(const std::string& page, std::string_view text) {
    return page.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("The start page tells version, host, state of the agent and where to go") {
    Overview overview;
    overview.rows = {row("web"), row("old")};
    overview.rows[1].ended_seconds = 3;
    overview.probes_up = {"ledger", "process"};
    overview.probes_down = {"bl<ock"};
    overview.scrape_seconds = 0.0042;
    overview.overflow = 7;
    overview.taken_unix_ns = testing::kTakenNs;
    const std::string page = StartPage("1.2.3", {"host<1>", 0}, SortKey::cpu).table(overview);
    CHECK(html_problem(page).empty());
    CHECK(texts_of(page, "<h1>") == std::vector<std::string>{"host&lt;1&gt;"});
    for (const char* text :
         {"Plimsoll 1.2.3", "<strong>1 container</strong>, 1 ended a moment ago",
          "probes up: ledger, process", "Probes that could not start: bl&lt;ock", "last scrape took 4.2 ms",
          "2023-11-14 22:13:20 UTC", "7 more containers found no slot", "href=\"metrics\"",
          "href=\"healthz\"", "href=\"readyz\"", "http-equiv=\"refresh\" content=\"5\""}) {
        INFO(text);
        CHECK(has(page, text));
    }
}

TEST_CASE("Each number has its cell and a bar in proportion") {
    ContainerRow web = row("web"), db = row("db");
    web.cpu_cores = 2;
    web.cpu_peak_cores = 4;
    web.wait_cores = 0.5;
    web.memory_bytes = 48 * kMiB;
    web.memory_limit_bytes = 64 * kMiB;
    web.threads = 4;
    web.processes = 2;
    web.states = {{"running", 1}, {"futex", 3}};
    web.oom_kills = 2;
    web.age_seconds = 90061;
    db.memory_bytes = 128 * kMiB;
    db.memory_limit_bytes = 9e18;  // how cgroup v1 says "none"
    const std::string page = page_of({web, db});
    CHECK(html_problem(page).empty());
    CHECK(texts_of(page, "<td class=\"c1\"") == std::vector<std::string>{"2.00 peak 4.00", "–"});
    CHECK(has(page, R"(<i class="running" style="width:50.0%"></i><u style="left:100.0%">)"));
    CHECK(texts_of(page, "<td class=\"c2\"") == std::vector<std::string>{"0.50", "–"});
    CHECK(has(page, R"(<i class="runnable" style="width:12.5%">)"));
    CHECK(texts_of(page, "<td class=\"c3\"") ==
          std::vector<std::string>{"48.0 MiB of 64.0 MiB2 OOM kills", "128.0 MiB"});
    CHECK(has(page, R"(<i class="memory" style="width:75.0%">)"));
    CHECK(has(page, R"(<i class="memory" style="width:12.5%">)"));  // of the host's memory
    CHECK(texts_of(page, "<td class=\"c4\"") == std::vector<std::string>{"4 3 futex, 1 running", "– "});
    CHECK(has(page, R"(<i class="running" style="width:25.0%" title="1 running"></i>)"
                    R"(<i class="futex" style="width:75.0%" title="3 futex"></i>)"));
    CHECK(texts_of(page, "<td class=\"c5\"") == std::vector<std::string>{"2", "–"});
    CHECK(texts_of(page, "<td class=\"c6\"") == std::vector<std::string>{"1 d 1 hdocker", "–docker"});
}

TEST_CASE("A container near its memory limit stands out") {
    ContainerRow full = row("full");
    full.memory_bytes = 60 * kMiB;
    full.memory_limit_bytes = 64 * kMiB;
    CHECK(has(page_of({full}), R"(<i class="full" style="width:93.8%">)"));
}

TEST_CASE("The bar of a value above its scale ends at the end") {
    ContainerRow over = row("over");
    over.memory_bytes = 70 * kMiB;
    over.memory_limit_bytes = 64 * kMiB;
    CHECK(has(page_of({over}), R"(<i class="full" style="width:100.0%">)"));
}

TEST_CASE("A container that has ended is grey and says since when") {
    ContainerRow old = row("old");
    old.ended_seconds = 65;
    const std::string page = page_of({old, row("web")});
    CHECK(has(page, "<tr class=\"ended\">"));
    CHECK(texts_of(page, "<td class=\"c6\"")[1] == "ended 1 min 5 s agodocker");
}

TEST_CASE("Whatever a name holds, it is only shown") {
    const std::vector<std::string> hostile{"<script>alert('x')</script>\"&\xFF\x1b",
                                           "\"><img src=x onerror=alert(1)>",
                                           "</table></main>",
                                           "' onmouseover='x",
                                           "&lt;",
                                           "a\nb\tc",
                                           std::string(255, 'x'),
                                           std::string(1'000'000, '<'),
                                           std::string("\xe2\x80") + "\xae" + "evil",
                                           std::string("nul\0x", 5),
                                           "\xc3",
                                           ""};
    for (const std::string& name : hostile) {
        ContainerRow victim = row(name);
        victim.runtime = name;
        victim.threads = 1;
        victim.states = {{name, 1}};
        Overview overview;
        overview.rows = {victim};
        overview.probes_up = overview.probes_down = {name};
        const std::string page = StartPage("1", {name, 0}, SortKey::cpu).table(overview);
        INFO(name.substr(0, 40));
        CHECK(html_problem(page).empty());
        CHECK(testing::is_valid_utf8(page));
        CHECK_FALSE(has(page, "<script>alert"));
        CHECK_FALSE(has(page, "<img"));
        CHECK(page.find('\x1b') == std::string::npos);
        CHECK(page.size() < 120'000);
    }
    CHECK(has(page_of({row(hostile[0])}), "<bdi>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
}

TEST_CASE("A long name is cut on the page and whole in its title") {
    const std::string page = page_of({row(std::string(400, 'x'))});
    CHECK(has(page, "title=\"" + std::string(400, 'x') + "\n/docker/"));
    CHECK(has(page, "<bdi>" + std::string(256, 'x') + "…</bdi>"));
}

TEST_CASE("The heads are links that sort, and say which one does") {
    for (const auto& [key, direction] :
         {std::pair{SortKey::memory, "descending"}, {SortKey::name, "ascending"}}) {
        const std::string page = page_of({row("web")}, key);
        CHECK(html_problem(page).empty());
        for (const char* link : {"cpu", "wait", "memory", "threads", "name"}) {
            CHECK(has(page, "href=\"?sort=" + std::string(link) + "\""));
        }
        const std::string current = " aria-sort=\"" + std::string(direction) + "\"";
        CHECK(page.find(current) == page.rfind(current));
        CHECK(page.find("href=\"?sort=" + std::string(to_string(key)), page.find(current)) -
                  page.find(current) <
              200);
    }
}

TEST_CASE("The rows come in the order that was asked for") {
    ContainerRow small = row("small"), large = row("large");
    small.memory_bytes = 1;
    large.memory_bytes = 2;
    CHECK(texts_of(page_of({small, large}, SortKey::memory), "<th scope=\"row\"") ==
          std::vector<std::string>{"largelarge", "smallsmall"});
}

TEST_CASE("The start page shows a bounded number of containers and counts the rest") {
    std::vector<ContainerRow> rows;
    for (int i = 0; i < 1234; ++i) {
        rows.push_back(row(std::to_string(i)));
    }
    const std::string page = page_of(rows);
    CHECK(has(page, "<strong>1234 containers</strong>"));
    CHECK(texts_of(page, "<th scope=\"row\"").size() == kMaxRows);
    CHECK(has(page, "734 more are not shown"));
}

TEST_CASE("A host without containers gets a sentence instead of a table") {
    const std::string page = page_of({});
    CHECK(html_problem(page).empty());
    CHECK(has(page, "No container runs here"));
    CHECK_FALSE(has(page, "<table"));
}

TEST_CASE("While there is nothing to show, the page says why and tries again") {
    const std::string page = StartPage("1", {"h", 0}, SortKey::cpu).excuse("no BTF & <nothing>");
    CHECK(html_problem(page).empty());
    CHECK(has(page, "no BTF &amp; &lt;nothing&gt;"));
    CHECK(has(page, "http-equiv=\"refresh\""));
}

TEST_CASE("Numbers are written as a person reads them") {
    CHECK(cores_text(0) == "0.00");
    CHECK(cores_text(0.0004) == "0.00");
    CHECK(cores_text(0.004) == "0.004");
    CHECK(cores_text(0.5) == "0.50");
    CHECK(cores_text(12.34) == "12.3");
    CHECK(cores_text(250) == "250");
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(48 * kMiB) == "48.0 MiB");
    CHECK(bytes_text(1024 * kMiB - 1) == "1.0 GiB");
    CHECK(bytes_text(1e30).ends_with(" PiB"));
    CHECK(duration_text(0) == "0 s");
    CHECK(duration_text(59.9) == "59 s");
    CHECK(duration_text(725) == "12 min 5 s");
    CHECK(duration_text(4 * 3600 + 120) == "4 h 2 min");
    CHECK(duration_text(3 * 86400 + 4 * 3600) == "3 d 4 h");
}

TEST_CASE("The host knows its name and how much memory it has") {
    const Host host = this_host();
    CHECK_FALSE(host.name.empty());
    CHECK(host.memory_bytes > kMiB);
}

}  // namespace plimsoll
