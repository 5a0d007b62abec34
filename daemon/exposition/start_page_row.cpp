// SPDX-License-Identifier: Apache-2.0
#include "exposition/start_page_row.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "exposition/html.h"

namespace plimsoll {
namespace {

constexpr std::string_view kUnknown = "–";
constexpr std::size_t kMaxShown = 256;  // of a name's bytes; its title has more
constexpr double kNearlyFull = 0.9;

/// Where `part` lies on a bar that ends at `whole`, in per cent.
std::string percent(double part, double whole) {
    return fmt::format("{:.1f}%", whole > 0 ? std::clamp(part / whole, 0.0, 1.0) * 100 : 0.0);
}

/// Bars repeat what the text beside them says, so they are hidden from who listens to the page.
void append_bar(std::string& out, std::string_view css_class, const std::string& width,
                const std::string& mark) {
    out += R"(<span class="bar" aria-hidden="true">)";
    out += fmt::format(R"(<i class="{}" style="width:{}"></i>)", css_class, width);
    if (!mark.empty()) {
        out += fmt::format(R"(<u style="left:{}"></u>)", mark);
    }
    out += "</span>";
}

void begin_cell(std::string& out, int column, std::string_view label, const std::string& title = "") {
    out += fmt::format(R"(<td class="c{}" data-label="{}")", column, label);
    if (!title.empty()) {
        out += " title=\"";
        append_html(out, title);
        out += '"';
    }
    out += '>';
}

void append_name(std::string& out, const ContainerRow& row) {
    out += R"(<th scope="row" class="c0" title=")";
    append_html(out, row.name);
    out += '\n';
    append_html(out, row.id);
    out += "\"><b><bdi>";
    append_html(out, row.name, kMaxShown);
    out += "</bdi></b><span><bdi>";
    append_html(out, row.detail, kMaxShown);
    out += "</bdi></span></th>";
}

void append_cores(std::string& out, int column, std::string_view label, std::string_view css_class,
                  const std::optional<double>& cores, const std::optional<double>& peak, double scale) {
    begin_cell(out, column, label);
    if (!cores) {
        out += kUnknown;
        out += "</td>";
        return;
    }
    out += cores_text(*cores);
    if (peak) {
        out += fmt::format(R"( <span class="soft small">peak {}</span>)", cores_text(*peak));
    }
    append_bar(out, css_class, percent(*cores, scale), peak ? percent(*peak, scale) : "");
    out += "</td>";
}

void append_memory(std::string& out, const ContainerRow& row, double host_bytes) {
    // cgroup v1 writes "no limit" as a number that no machine has.
    const bool limited = row.memory_limit_bytes && (host_bytes == 0 || *row.memory_limit_bytes < host_bytes);
    const double whole = limited ? *row.memory_limit_bytes : host_bytes;
    const std::string used = row.memory_bytes ? bytes_text(*row.memory_bytes) : std::string(kUnknown);
    begin_cell(out, 3, "Memory", limited ? used + " of " + bytes_text(whole) : "");
    out += used;
    if (row.memory_bytes) {
        if (limited) {
            out += R"( <span class="soft small">of )" + bytes_text(whole) + "</span>";
        }
        const bool full = limited && *row.memory_bytes >= kNearlyFull * whole;
        append_bar(out, full ? "full" : "memory", percent(*row.memory_bytes, whole), "");
    }
    if (row.oom_kills > 0) {
        out += fmt::format(R"(<span class="text bad">{:.0f} OOM kill{}</span>)", row.oom_kills,
                           row.oom_kills == 1 ? "" : "s");
    }
    out += "</td>";
}

/// Index into kStateGroups; a state that is not there is an odd one.
std::size_t group_of(const std::string& state) {
    const std::string word = " " + state + " ";
    const auto found = std::ranges::find_if(
        kStateGroups, [&](const StateGroup& group) { return group.states.contains(word); });
    return std::min<std::size_t>(found - kStateGroups.begin(), kStateGroups.size() - 1);
}

/// "9 futex, 1 running": the most first.
std::string states_text(const ContainerRow& row) {
    auto states = row.states;
    std::ranges::stable_sort(states, std::greater{}, &std::pair<std::string, double>::second);
    std::string text;
    for (const auto& [state, threads] : states) {
        text += fmt::format("{}{:.0f} {}", text.empty() ? "" : ", ", threads, state);
    }
    return text;
}

void append_threads(std::string& out, const ContainerRow& row) {
    double all = 0;
    for (const auto& [state, threads] : row.states) {
        all += threads;
    }
    const std::string text = states_text(row);
    begin_cell(out, 4, "Threads", text);
    out += row.threads || all > 0 ? fmt::format("{:.0f}", row.threads.value_or(all)) : std::string(kUnknown);
    out += R"( <span class="soft small">)";
    append_html(out, text);
    out += R"(</span><span class="bar states" aria-hidden="true">)";
    auto states = row.states;  // those of one colour side by side
    std::ranges::stable_sort(states, {}, [](const auto& state) { return group_of(state.first); });
    for (const auto& [state, threads] : states) {
        out += fmt::format(R"(<i class="{}" style="width:{}" title="{:.0f} )",
                           kStateGroups[group_of(state)].css_class, percent(threads, all), threads);
        append_html(out, state);
        out += "\"></i>";
    }
    out += "</span></td>";
}

void append_age(std::string& out, const ContainerRow& row) {
    begin_cell(out, 6, "Up");
    if (row.ended_seconds) {
        out += "ended " + duration_text(*row.ended_seconds) + " ago";
    } else {
        out += row.age_seconds ? duration_text(*row.age_seconds) : std::string(kUnknown);
    }
    out += R"(<span class="text small soft">)";
    append_html(out, row.runtime);
    out += "</span></td>";
}

}  // namespace

void append_row(std::string& out, const ContainerRow& row, const BarScales& scales) {
    out += row.ended_seconds ? R"(<tr class="ended">)" : "<tr>";
    append_name(out, row);
    append_cores(out, 1, "CPU", "running", row.cpu_cores, row.cpu_peak_cores, scales.cores);
    append_cores(out, 2, "Waits for CPU", "runnable", row.wait_cores, std::nullopt, scales.cores);
    append_memory(out, row, scales.memory_bytes);
    append_threads(out, row);
    begin_cell(out, 5, "Processes");
    out += row.processes ? fmt::format("{:.0f}", *row.processes) : std::string(kUnknown);
    out += "</td>";
    append_age(out, row);
    out += "</tr>\n";
}

}  // namespace plimsoll
