// SPDX-License-Identifier: Apache-2.0
#include "exposition/overview.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <tuple>

#include "config/values.h"
#include "exposition/label_reader.h"

namespace plimsoll {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;
constexpr std::string_view kUsage = "container_cpu_usage_cores";
constexpr std::string_view kPeak = "container_cpu_usage_cores_peak";
constexpr std::string_view kWait = "container_cpu_wait_cores";
constexpr std::array kSortKeys{SortKey::cpu, SortKey::wait, SortKey::memory, SortKey::threads, SortKey::name};

double as_double(const Number& number) {
    switch (number.kind) {
        case Number::Kind::integer:
            return static_cast<double>(number.integer);
        case Number::Kind::nanoseconds:
            return static_cast<double>(number.integer) / kNanosecondsPerSecond;
        case Number::Kind::real:
            return number.real;
    }
    return 0;
}

/// The rows under construction: which container has which, and ways to fill one number of all of them.
class Rows {
  public:
    explicit Rows(const Snapshot& snapshot)
        : snapshot_(snapshot), row_of_(snapshot.containers.size(), kNone) {
        each("container_info", [&](const Sample& sample) {
            row_of_[sample.container] = rows_.size();
            rows_.push_back(identity(*snapshot.containers[sample.container], sample.fragment));
        });
    }

    /// The samples of a family that belong to a container.
    template <typename Use>
    void each(std::string_view family, const Use& use) const {
        const auto found =
            std::ranges::find(snapshot_.families, family, [](const auto& one) { return one.spec->name; });
        if (found == snapshot_.families.end()) {
            return;
        }
        for (const Sample& sample : found->samples) {
            if (sample.container < row_of_.size()) {
                use(sample);
            }
        }
    }

    /// Calls use(row, value, fragment) for each sample of a family that belongs to a row.
    template <typename Use>
    void fill(std::string_view family, const Use& use) {
        each(family, [&](const Sample& sample) {
            const std::size_t row = row_of_[sample.container];
            const double value = as_double(sample.value);
            if (row != kNone && std::isfinite(value) && value >= 0) {
                use(rows_[row], value, sample.fragment);
            }
        });
    }

    void fill(std::string_view family, std::optional<double> ContainerRow::* member) {
        fill(family, [&](ContainerRow& row, double value, std::string_view) { row.*member = value; });
    }

    void fill(std::string_view family, const std::string& window,
              std::optional<double> ContainerRow::* member) {
        const std::string fragment = "window=\"" + window + "\"";
        fill(family, [&](ContainerRow& row, double value, std::string_view labels) {
            if (labels == fragment) {
                row.*member = value;
            }
        });
    }

    std::vector<ContainerRow> take() { return std::move(rows_); }

  private:
    static constexpr std::size_t kNone = SIZE_MAX;

    static ContainerRow identity(std::string_view labels, std::string_view info) {
        ContainerRow row;
        row.id = label_value(labels, "id");
        row.runtime = label_value(info, "runtime");
        row.name = label_value(labels, "name");
        row.detail = label_value(labels, "image");
        if (const std::string pod = label_value(labels, "pod"); !pod.empty()) {
            row.name = pod + "/" + label_value(labels, "container");
            row.detail = label_value(labels, "namespace") + (row.detail.empty() ? "" : " · ") + row.detail;
        }
        if (row.name.empty()) {
            row.name = row.id.substr(row.id.rfind('/') + 1);
        }
        if (row.detail.empty()) {
            row.detail = row.id;
        }
        return row;
    }

    const Snapshot& snapshot_;
    std::vector<std::size_t> row_of_;
    std::vector<ContainerRow> rows_;
};

/// The windows that a family has, in its order.
std::vector<std::string> windows_of(const Rows& rows, std::string_view family) {
    std::vector<std::string> windows;
    std::vector<std::string_view> known;
    rows.each(family, [&](const Sample& sample) {
        if (std::ranges::find(known, sample.fragment) == known.end()) {
            known.push_back(sample.fragment);
            windows.push_back(label_value(sample.fragment, "window"));
        }
    });
    return windows;
}

std::string window_now(const std::vector<std::string>& windows) {
    return windows.empty() || std::ranges::find(windows, "1s") != windows.end() ? "1s" : windows.front();
}

std::string longest(const std::vector<std::string>& windows) {
    const auto length = [](const std::string& window) {
        return parse_duration(window).value_or(std::chrono::nanoseconds{});
    };
    const auto found = std::ranges::max_element(windows, {}, length);
    return found == windows.end() ? "" : *found;
}

void fill_cpu(Rows& rows, Overview& overview) {
    if (const auto windows = windows_of(rows, kUsage); !windows.empty()) {
        overview.now_window = window_now(windows);
        rows.fill(kUsage, overview.now_window, &ContainerRow::cpu_cores);
    }
    overview.peak_window = longest(windows_of(rows, kPeak));
    rows.fill(kPeak, overview.peak_window, &ContainerRow::cpu_peak_cores);
    rows.fill(kWait, window_now(windows_of(rows, kWait)), &ContainerRow::wait_cores);
}

void fill_life(Rows& rows, double taken) {
    rows.fill("container_start_time_seconds", [&](ContainerRow& row, double value, std::string_view) {
        row.age_seconds = std::max(0.0, taken - value);
    });
    // A container that is alive is seen while the snapshot is being taken, that is, after it was begun.
    rows.fill("container_last_seen", [&](ContainerRow& row, double value, std::string_view) {
        if (value < taken) {
            row.ended_seconds = taken - value;
        }
    });
}

void fill_agent(const Snapshot& snapshot, Overview& overview) {
    for (const auto& family : snapshot.self) {
        for (const auto& metric : family.metric) {
            const double value = metric.gauge.value;
            if (family.name == "plimsoll_probe_up" && !metric.label.empty()) {
                (value == 1 ? overview.probes_up : overview.probes_down).push_back(metric.label[0].value);
            } else if (family.name == "plimsoll_scrape_duration_seconds") {
                overview.scrape_seconds = value;
            } else if (family.name == "plimsoll_containers_overflow") {
                overview.overflow = value;
            }
        }
    }
    std::ranges::sort(overview.probes_up);
    std::ranges::sort(overview.probes_down);
}

double busy_threads(const ContainerRow& row) {
    double busy = 0;
    for (const auto& [state, threads] : row.states) {
        busy += state == "running" || state == "runnable" ? threads : 0;
    }
    return busy;
}

double weight(const ContainerRow& row, SortKey key) {
    switch (key) {
        case SortKey::cpu:
            return row.cpu_cores.value_or(-1);
        case SortKey::wait:
            return row.wait_cores.value_or(-1);
        case SortKey::memory:
            return row.memory_bytes.value_or(-1);
        case SortKey::threads:
            return row.threads.value_or(-1);
        case SortKey::name:
            return 0;
    }
    return 0;
}

}  // namespace

Overview make_overview(const Snapshot& snapshot) {
    Overview overview;
    overview.taken_unix_ns = snapshot.taken_unix_ns;
    Rows rows(snapshot);
    fill_cpu(rows, overview);
    fill_life(rows, static_cast<double>(snapshot.taken_unix_ns) / kNanosecondsPerSecond);
    rows.fill("container_memory_working_set_bytes", &ContainerRow::memory_bytes);
    rows.fill("container_spec_memory_limit_bytes", [](ContainerRow& row, double value, std::string_view) {
        if (value > 0) {  // 0: none
            row.memory_limit_bytes = value;
        }
    });
    rows.fill("container_threads", &ContainerRow::threads);
    rows.fill("container_processes", &ContainerRow::processes);
    rows.fill("container_oom_events_total",
              [](ContainerRow& row, double value, std::string_view) { row.oom_kills += value; });
    rows.fill("container_thread_states", [](ContainerRow& row, double value, std::string_view labels) {
        if (value > 0) {
            row.states.emplace_back(label_value(labels, "state"), value);
        }
    });
    overview.rows = rows.take();
    fill_agent(snapshot, overview);
    return overview;
}

std::string_view to_string(SortKey key) {
    switch (key) {
        case SortKey::cpu:
            return "cpu";
        case SortKey::wait:
            return "wait";
        case SortKey::memory:
            return "memory";
        case SortKey::threads:
            return "threads";
        case SortKey::name:
            return "name";
    }
    return "";
}

SortKey sort_key_of(std::string_view query) {
    while (!query.empty()) {
        const std::string_view parameter = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), parameter.size() + 1));
        for (const SortKey key : kSortKeys) {
            if (parameter.starts_with("sort=") && parameter.substr(5) == to_string(key)) {
                return key;
            }
        }
    }
    return SortKey::cpu;
}

void sort_rows(std::vector<ContainerRow>& rows, SortKey key) {
    using Rank = std::tuple<bool, double, double, const std::string&, const std::string&>;
    const auto rank = [key](const ContainerRow& row) {
        return Rank(row.ended_seconds.has_value(), -weight(row, key),
                    key == SortKey::cpu ? -busy_threads(row) : 0, row.name, row.id);
    };
    std::ranges::sort(rows, [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
}

}  // namespace plimsoll
