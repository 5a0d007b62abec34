// SPDX-License-Identifier: Apache-2.0
#include "exposition/start_page.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "exposition/html.h"
#include "exposition/start_page_assets.h"
#include "exposition/start_page_row.h"

namespace plimsoll {
namespace {

constexpr std::string_view kHead =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n";

constexpr std::string_view kLinks =
    "<nav><a href=\"metrics\">/metrics</a> <a href=\"healthz\">/healthz</a> <a "
    "href=\"readyz\">/readyz</a></nav>";

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

/// The longest bar of CPU or wait; not less than one core, so that idle hosts look idle.
double core_scale(const std::vector<ContainerRow>& rows) {
    double scale = 1;
    for (const ContainerRow& row : rows) {
        scale = std::max(
            {scale, row.cpu_cores.value_or(0), row.cpu_peak_cores.value_or(0), row.wait_cores.value_or(0)});
    }
    return scale;
}

void append_legend(std::string& out, const BarScales& scales) {
    out += R"(<ul class="legend" aria-label="Colours of the thread states">)";
    for (const StateGroup& group : kStateGroups) {
        out += fmt::format(R"(<li><i class="{}"></i>)", group.css_class);
        for (const char c : group.states.substr(1, group.states.size() - 2)) {
            out += c == ' ' ? std::string(", ") : std::string(1, c);
        }
        out += "</li>";
    }
    out += "</ul>\n<p class=\"soft small\">A full bar is " + cores_text(scales.cores) +
           " cores of CPU or wait; for memory the container's limit";
    out += scales.memory_bytes > 0 ? ", or else the host's " + bytes_text(scales.memory_bytes) : "";
    out += "; for threads all of them. A mark is a peak.</p>\n";
}

std::string finish(std::string out) {
    out += "</main>\n<script>";
    out += kStartPageScript;
    out += "</script>\n</body></html>\n";
    return out;
}

}  // namespace

Host this_host() {
    Host host;
    host.name.resize(256);
    gethostname(host.name.data(), host.name.size() - 1);
    host.name.resize(host.name.find('\0'));
    host.memory_bytes =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    return host;
}

std::string StartPage::begin() const {
    std::string out(kHead);
    out += "<title>";
    append_html(out, host_.name);
    out += " – Plimsoll</title>\n<style>";
    out += kStartPageStyle;
    out += "</style></head><body>\n<header><h1>";
    append_html(out, host_.name);
    out += "</h1> <p>Plimsoll ";
    append_html(out, version_);
    out += "</p> ";
    out += kLinks;
    out += "</header>\n<p id=\"note\" role=\"status\" hidden></p>\n<main>\n";
    return out;
}

std::string StartPage::excuse(std::string_view sentence) const {
    std::string out = begin();
    out += "<p class=\"bad\">";
    append_html(out, sentence);
    out += "</p>\n";
    return finish(std::move(out));
}

std::string StartPage::table(Overview overview) const {
    sort_rows(overview.rows, sort_);
    std::string out = begin();
    append_facts(out, overview);
    if (overview.rows.empty()) {
        out +=
            "<p>No container runs here, or none that the configuration selects. As soon as one starts, it is "
            "on this page; <code>plimsoll list</code> shows what would be watched, and "
            "<code>deploy/quickstart.sh --demo</code> starts a few to look at.</p>\n";
    } else {
        append_table(out, overview);
    }
    return finish(std::move(out));
}

void StartPage::append_facts(std::string& out, const Overview& overview) const {
    const auto ended = std::ranges::count_if(
        overview.rows, [](const ContainerRow& row) { return row.ended_seconds.has_value(); });
    const auto live = static_cast<std::ptrdiff_t>(overview.rows.size()) - ended;
    out += fmt::format("<p><strong>{} container{}</strong>", live, live == 1 ? "" : "s");
    out += ended > 0 ? fmt::format(", {} ended a moment ago", ended) : "";
    out += " · probes up: ";
    append_html(out, overview.probes_up.empty() ? "none" : joined(overview.probes_up));
    if (overview.scrape_seconds > 0) {
        out += fmt::format(" · last scrape took {:.1f} ms", overview.scrape_seconds * 1000);
    }
    const auto seconds = static_cast<std::time_t>(overview.taken_unix_ns / 1'000'000'000);
    out += fmt::format(" · <time>{:%Y-%m-%d %H:%M:%S} UTC</time></p>\n", fmt::gmtime(seconds));
    if (!overview.probes_down.empty()) {
        out += "<p class=\"bad\">Probes that could not start: ";
        append_html(out, joined(overview.probes_down));
        out += "; <code>plimsoll check</code> says why.</p>\n";
    }
    if (overview.overflow > 0) {
        out += fmt::format(
            "<p class=\"bad\">{:.0f} more containers found no slot and are counted together; "
            "raise containers.max.</p>\n",
            overview.overflow);
    }
}

void StartPage::append_heads(std::string& out, const Overview& overview) const {
    struct Head {
        std::string_view text, title;
        std::optional<SortKey> key;
    };
    std::string cpu = "Cores used in the last " + overview.now_window;
    cpu += overview.peak_window.empty() ? "" : "; the mark is the peak in the last " + overview.peak_window;
    const std::array<Head, 7> heads{
        {{"Container", "", SortKey::name},
         {"CPU, cores", overview.now_window.empty() ? "" : cpu, SortKey::cpu},
         {"Waits for CPU", "Threads that were ready and had to wait for a CPU, on average", SortKey::wait},
         {"Memory", "Working set, and the limit where there is one", SortKey::memory},
         {"Threads by state", "What each thread does at this moment", SortKey::threads},
         {"Processes", "", std::nullopt},
         {"Up", "", std::nullopt}}};
    out += "<thead><tr>";
    for (std::size_t column = 0; column < heads.size(); ++column) {
        const auto& [text, title, key] = heads[column];
        out += fmt::format(R"(<th scope="col" class="c{}")", column);
        if (key == sort_) {
            out += fmt::format(R"( aria-sort="{}")", sort_ == SortKey::name ? "ascending" : "descending");
        }
        out += key ? " data-sort" : "";
        out += title.empty() ? "" : " title=\"";
        append_html(out, title);
        out += title.empty() ? ">" : "\">";
        if (!key) {
            out += text;
        } else {
            out += fmt::format(R"(<a href="?sort={}">{}</a>{})", to_string(*key), text,
                               key != sort_             ? ""
                               : sort_ == SortKey::name ? " ▴"
                                                        : " ▾");
        }
        out += "</th>";
    }
    out += "</tr></thead>\n";
}

void StartPage::append_table(std::string& out, const Overview& overview) const {
    const std::size_t shown = std::min(overview.rows.size(), kMaxRows);
    const BarScales scales{core_scale(overview.rows), host_.memory_bytes};
    out += "<table>\n";
    append_heads(out, overview);
    out += "<tbody>\n";
    for (std::size_t i = 0; i < shown; ++i) {
        append_row(out, overview.rows[i], scales);
    }
    out += "</tbody></table>\n";
    if (shown < overview.rows.size()) {
        out += fmt::format("<p>{} more are not shown; <a href=\"metrics\">/metrics</a> has them all.</p>\n",
                           overview.rows.size() - shown);
    }
    append_legend(out, scales);
}

}  // namespace plimsoll
