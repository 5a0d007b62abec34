// SPDX-License-Identifier: Apache-2.0
#include "self_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <filesystem>
#include <fstream>

#include "containers/start_time.h"
#include "core/clock.h"

namespace plimsoll {

namespace {

constexpr auto kCounter = MetricType::counter;
constexpr auto kGauge = MetricType::gauge;

constexpr std::array kCatalogue{
    MetricSpec{"plimsoll_build_info", kGauge, "", "version, compiler", "Always 1; what was built.", "build"},
    MetricSpec{"plimsoll_probe_info", kGauge, "", "probe, method", "Always 1; how a probe gets its numbers.",
               "start"},
    MetricSpec{"plimsoll_probe_up", kGauge, "", "probe",
               "1: the probe runs; 0: it is enabled but could not start.", "start"},
    MetricSpec{"plimsoll_probe_sample_seconds", kGauge, "seconds", "probe",
               "Time that the probe's last sample took.", "clock"},
    MetricSpec{"plimsoll_program_runs_total", kCounter, "", "program",
               "Runs of each kernel program; needs self.bpf_stats.", "bpf_prog_info"},
    MetricSpec{"plimsoll_program_run_seconds_total", kCounter, "seconds", "program",
               "Time spent in each kernel program; needs self.bpf_stats.", "bpf_prog_info"},
    MetricSpec{"plimsoll_program_misses_total", kCounter, "", "program",
               "Runs of a kernel program that the kernel skipped because it would have recursed.",
               "bpf_prog_info"},
    MetricSpec{"plimsoll_kernel_failures_total", kCounter, "", "probe, place",
               "Times that something failed in the kernel programs, by place.", "kernel map"},
    MetricSpec{"plimsoll_events_total", kCounter, "", "kind", "Events received from the kernel.",
               "event channel"},
    MetricSpec{
        "plimsoll_events_lost_total", kCounter, "", "",
        "Events that did not fit into the channel, or could not be read; counters do not depend on them.",
        "kernel map"},
    MetricSpec{"plimsoll_containers", kGauge, "", "runtime", "Containers that are watched now.", "registry"},
    MetricSpec{"plimsoll_containers_added_total", kCounter, "", "",
               "Containers seen to start, or found at the start.", "registry"},
    MetricSpec{"plimsoll_containers_removed_total", kCounter, "", "", "Containers seen to end.", "registry"},
    MetricSpec{"plimsoll_containers_overflow", kGauge, "", "",
               "Containers that found no slot (containers.max) and are counted together.", "registry"},
    MetricSpec{"plimsoll_ledger_residual_seconds", kGauge, "seconds", "",
               "Largest difference between lifetime and the sum of the states of any container.", "ledger"},
    MetricSpec{"plimsoll_cgroup_resync_corrections_total", kCounter, "", "",
               "Cgroups that the slow walk of the tree found and no event had told.", "cgroup tree"},
    MetricSpec{
        "plimsoll_config_last_reload_successful", kGauge, "", "",
        "1: the configuration that was read last is in force; 0: it could not be, and the one before is.",
        "SIGHUP"},
    MetricSpec{"plimsoll_config_last_reload_success_timestamp_seconds", kGauge, "seconds", "",
               "When a configuration was last put in force, in Unix time.", "SIGHUP"},
    MetricSpec{
        "plimsoll_capabilities", kGauge, "", "capability, set (effective, permitted)",
        "Always 1; a capability that the agent keeps after its start: in effect, or only permitted, in "
        "reserve for a reload.",
        "capget"},
    MetricSpec{"plimsoll_scrape_duration_seconds", kGauge, "seconds", "", "Time that the last scrape took.",
               "clock"},
    MetricSpec{"plimsoll_scrape_series", kGauge, "", "", "Series on the last page.", "exposition"},
    MetricSpec{"plimsoll_scrape_bytes", kGauge, "bytes", "", "Size of the last page, before compression.",
               "exposition"},
    MetricSpec{"plimsoll_scrape_containers_left_out", kGauge, "", "",
               "Containers without series on this page, because it would have become too large with them.",
               "exposition"},
    MetricSpec{"process_cpu_seconds_total", kCounter, "seconds", "", "CPU time that the agent has used.",
               "getrusage"},
    MetricSpec{"process_resident_memory_bytes", kGauge, "bytes", "", "Memory that the agent occupies.",
               "/proc/self/statm"},
    MetricSpec{"process_open_fds", kGauge, "", "", "Descriptors that the agent holds.", "/proc/self/fd"},
    MetricSpec{"process_start_time_seconds", kGauge, "seconds", "", "When the agent started, in Unix time.",
               "/proc/self/stat"},
};

/// The size of the directory is their number since Linux 6.2, and 0 before.
std::optional<double> open_descriptors() {
    constexpr const char* kDirectory = "/proc/self/fd";
    struct stat status{};
    if (stat(kDirectory, &status) == 0 && status.st_size > 0) {
        return static_cast<double>(status.st_size);
    }
    std::error_code error;
    double count = 0;
    for (std::filesystem::directory_iterator it(kDirectory, error), end; !error && it != end;
         it.increment(error)) {
        ++count;
    }
    return error || count == 0 ? std::nullopt : std::optional(count - 1);  // one is being read
}

std::optional<double> resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    double total_pages = 0, resident_pages = 0;
    return statm >> total_pages >> resident_pages
               ? std::optional(resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)))
               : std::nullopt;
}

}  // namespace

std::span<const MetricSpec> SelfMetrics::catalogue() {
    return kCatalogue;
}

SelfMetrics::SelfMetrics() : gauges_(kCatalogue.size()), counters_(kCatalogue.size()) {
    for (std::size_t i = 0; i < kCatalogue.size(); i++) {
        const MetricSpec& spec = kCatalogue[i];
        const std::string name(spec.name), help(spec.help);
        if (spec.type == kCounter) {
            counters_[i] = &prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
        } else {
            gauges_[i] = &prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
        }
    }
    if (const auto started = process_start_ns("/proc/self/stat")) {
        set("process_start_time_seconds", static_cast<double>(unix_time_ns(*started)) / 1e9);
    }
}

void SelfMetrics::set(std::string_view name, double value, const Labels& labels) {
    for (std::size_t i = 0; i < kCatalogue.size(); i++) {
        if (kCatalogue[i].name != name) {
            continue;
        }
        if (gauges_[i] != nullptr) {
            gauges_[i]->Add(labels).Set(value);
        } else {
            prometheus::Counter& counter = counters_[i]->Add(labels);
            if (value > counter.Value()) {
                counter.Increment(value - counter.Value());
            }
        }
        return;
    }
    assert(false && "a family that is not in the catalogue");
}

void SelfMetrics::drop(std::string_view name, const Labels& labels) {
    const auto spec = std::ranges::find(kCatalogue, name, &MetricSpec::name);
    assert(spec != kCatalogue.end() && spec->type == kGauge);
    auto& family = *gauges_[static_cast<std::size_t>(spec - kCatalogue.begin())];
    family.Remove(&family.Add(labels));
}

std::vector<prometheus::MetricFamily> SelfMetrics::collect() const {
    auto families = registry_.Collect();
    const auto place = [](const prometheus::MetricFamily& family) {
        return std::ranges::find(kCatalogue, std::string_view(family.name), &MetricSpec::name) -
               kCatalogue.begin();
    };
    std::ranges::sort(families, {}, place);
    for (auto& family : families) {
        std::ranges::sort(family.metric,
                          [](const auto& left, const auto& right) { return left.label < right.label; });
    }
    return families;
}

void SelfMetrics::set_or_drop(std::string_view name, std::optional<double> value) {
    value ? set(name, *value) : drop(name, {});
}

void SelfMetrics::update_process() {
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        const auto seconds = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
        };
        set("process_cpu_seconds_total", seconds(usage.ru_utime) + seconds(usage.ru_stime));
    }
    set_or_drop("process_resident_memory_bytes", resident_bytes());
    set_or_drop("process_open_fds", open_descriptors());
}

}  // namespace plimsoll
