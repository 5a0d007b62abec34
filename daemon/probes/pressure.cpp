// SPDX-License-Identifier: Apache-2.0
// Time lost to shortages of CPU, memory and IO, as the kernel's PSI tells it, under cAdvisor's names.
#include <array>

#include "probes/cgroup_probe.h"

namespace plimsoll {

namespace {

constexpr std::array<const char*, 3> kFiles{"cpu.pressure", "memory.pressure", "io.pressure"};
constexpr std::size_t kSeries = 2 * kFiles.size();

constexpr MetricSpec family(std::string_view name, std::string_view help, std::string_view source) {
    return {name, MetricType::counter, "seconds", "", help, source};
}

constexpr std::array<MetricSpec, kSeries> kMetrics{
    family("container_pressure_cpu_waiting_seconds_total",
           "Time in which at least one task of the container waited for a CPU.", "v2 cpu.pressure some"),
    family("container_pressure_cpu_stalled_seconds_total",
           "Time in which all tasks of the container that had something to do waited for a CPU.",
           "v2 cpu.pressure full"),
    family("container_pressure_memory_waiting_seconds_total",
           "Time in which at least one task of the container waited for memory.", "v2 memory.pressure some"),
    family("container_pressure_memory_stalled_seconds_total",
           "Time in which all tasks of the container that had something to do waited for memory.",
           "v2 memory.pressure full"),
    family("container_pressure_io_waiting_seconds_total",
           "Time in which at least one task of the container waited for IO.", "v2 io.pressure some"),
    family("container_pressure_io_stalled_seconds_total",
           "Time in which all tasks of the container that had something to do waited for IO.",
           "v2 io.pressure full"),
};

constexpr auto kTable = [] {
    std::array<FileSeries, kSeries> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        table[i] = {i, {}, Number::Kind::nanoseconds};
    }
    return table;
}();

struct PressureState {
    CgroupDirectory directory;
    std::array<KeptFd, kFiles.size()> files;
};

/// Where PSI is off there are no files, so there are no series: zeros would look like a machine at rest.
class PressureProbe : public CgroupProbe<PressureState, kSeries> {
  public:
    PressureProbe() : CgroupProbe(kTable) {}
    [[nodiscard]] std::string_view name() const override { return "pressure"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  private:
    void find_hierarchies(const CgroupLayout& layout) override { v2_ = unified(layout); }
    void ended(PressureState& state) override { state = {}; }
    bool holds_in_rest(const PressureState&) const override { return true; }

    bool read(const SampledContainer& container, const SampleContext&, PressureState& state,
              Values& values) override {
        const CgroupName cgroup = name_of(container);
        auto text = reader().first(v2_, cgroup, state.directory, kFiles[0], &state.files[0]);
        if (!text) {
            return !state.directory.gone() && reader().alive(cgroup);
        }
        for (std::size_t file = 0; file < kFiles.size(); ++file) {
            if (file > 0) {
                text = reader().next(*v2_, cgroup, state.directory, kFiles[file], &state.files[file]);
            }
            const Pressure pressure = text ? parse_pressure(*text) : Pressure{};
            put(values, 2 * file, scaled(pressure.some_us, 1000));
            put(values, 2 * file + 1, scaled(pressure.full_us, 1000));
        }
        return true;
    }

    const CgroupHierarchy* v2_ = nullptr;
};

}  // namespace

std::unique_ptr<Probe> make_pressure_probe() {
    return std::make_unique<PressureProbe>();
}

}  // namespace plimsoll
