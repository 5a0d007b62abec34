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
#include <sstream>

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
    MetricSpec{"plimsoll_events_lost_total", kCounter, "", "",
               "Events that did not fit into the channel; counters do not depend on them.", "kernel map"},
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
    MetricSpec{"plimsoll_scrape_duration_seconds", kGauge, "seconds", "", "Time that the last scrape took.",
               "clock"},
    MetricSpec{"plimsoll_scrape_series", kGauge, "", "", "Series on the last page.", "exposition"},
    MetricSpec{"plimsoll_scrape_bytes", kGauge, "bytes", "", "Size of the last page, before compression.",
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
std::uint64_t open_descriptors() {
    constexpr const char* kDirectory = "/proc/self/fd";
    struct stat status{};
    if (stat(kDirectory, &status) == 0 && status.st_size > 0) {
        return static_cast<std::uint64_t>(status.st_size);
    }
    std::error_code error;
    const std::filesystem::directory_iterator all(kDirectory, error);
    return error ? 0
                 : static_cast<std::uint64_t>(std::distance(begin(all), end(all)) - 1);  // one is being read
}

double process_start_time() {
    std::ifstream stat("/proc/self/stat"), boot("/proc/stat");
    std::string text, key;
    std::getline(stat, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    for (int i = 0; i < 19; i++) {
        fields >> text;  // fields 3 to 21; the start time, in ticks since boot, is field 22
    }
    double ticks = 0, boot_time = 0;
    fields >> ticks;
    while (boot >> key && key != "btime") {
        boot.ignore(1 << 20, '\n');
    }
    boot >> boot_time;
    return boot_time + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
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
    set("process_start_time_seconds", process_start_time());
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

void SelfMetrics::update_process() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    set("process_cpu_seconds_total", seconds(usage.ru_utime) + seconds(usage.ru_stime));
    std::ifstream statm("/proc/self/statm");
    double total_pages = 0, resident_pages = 0;
    statm >> total_pages >> resident_pages;
    set("process_resident_memory_bytes", resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
    set("process_open_fds", static_cast<double>(open_descriptors()));
}

}  // namespace plimsoll
