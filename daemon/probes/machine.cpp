// SPDX-License-Identifier: Apache-2.0
// What the machine has, under cAdvisor's names.
#include <unistd.h>

#include <array>

#include "probes/cgroup_probe.h"

namespace plimsoll {

namespace {

constexpr std::array<MetricSpec, 3> kMetrics{{
    {"machine_cpu_cores", MetricType::gauge, "", "", "Logical CPUs that are online.",
     "sysconf(_SC_NPROCESSORS_ONLN)"},
    {"machine_memory_bytes", MetricType::gauge, "bytes", "", "Memory of the machine.",
     "/proc/meminfo MemTotal"},
    {"machine_swap_bytes", MetricType::gauge, "bytes", "", "Swap of the machine.", "/proc/meminfo SwapTotal"},
}};

class MachineProbe : public Probe, public ReadsFiles {
  public:
    [[nodiscard]] std::string_view name() const override { return "machine"; }
    [[nodiscard]] std::string_view method() const override { return "files"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes&) const override { return {}; }
    void forget(Handle) override {}

    Result<void> start(const ProbeContext& context) override {
        open({context.layout});
        return {};
    }
    void open(const FileRoots& roots) override { meminfo_ = roots.proc + "/meminfo"; }

    void sample(const SampleContext&, SampleWriter& writer) override {
        writer.family(kMetrics[0]);
        if (const long cpus = sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) {
            writer.add(kNoContainer, {}, Number::count(static_cast<std::uint64_t>(cpus)));
        }
        std::optional<std::uint64_t> memory, swap;
        auto text = reader_.read_at(kNowhere, meminfo_.c_str());
        while (const auto line = text ? take_machine(*text) : std::nullopt) {
            if (line->key == "MemTotal") {
                memory = line->value;
            } else if (line->key == "SwapTotal") {
                swap = line->value;
            }
        }
        write(writer, kMetrics[1], memory);
        write(writer, kMetrics[2], swap);
    }

  private:
    static constexpr int kNowhere = -1;  // the path is absolute

    static void write(SampleWriter& writer, const MetricSpec& spec, std::optional<std::uint64_t> value) {
        writer.family(spec);
        if (value) {
            writer.add(kNoContainer, {}, Number::count(*value));
        }
    }

    std::string meminfo_;
    FileReader reader_;
};

}  // namespace

std::unique_ptr<Probe> make_machine_probe() {
    return std::make_unique<MachineProbe>();
}

}  // namespace plimsoll
