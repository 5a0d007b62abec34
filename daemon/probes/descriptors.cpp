// SPDX-License-Identifier: Apache-2.0
// Descriptors and sockets that containers have open, by cAdvisor's names. Off unless the configuration
// turns it on: every descriptor of every process is looked at for each sample.
#include "files/open_descriptors.h"

#include "probes/process_probe.h"

namespace plimsoll {
namespace {

struct Family {
    enum : std::uint8_t { descriptors, sockets, count };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_file_descriptors", MetricType::gauge, "", "",
     "Descriptors that the container's processes have open; one that several processes share counts for "
     "each.",
     "/proc/PID/fd"},
    {"container_sockets", MetricType::gauge, "", "",
     "Descriptors of sockets that the container's processes have open; one that several processes share "
     "counts "
     "for each.",
     "/proc/PID/fd"},
}};

constexpr std::array<FileSeries, Family::count> kSeries{{
    {Family::descriptors, "", Number::Kind::integer},
    {Family::sockets, "", Number::Kind::integer},
}};

struct NoState {};

class DescriptorsProbe final : public ProcessFileProbe<NoState, kSeries.size()> {
  public:
    DescriptorsProbe() : ProcessFileProbe(kSeries) {}

    [[nodiscard]] std::string_view name() const override { return "descriptors"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  protected:
    /// Not told: too many processes to look at, or one that may not be looked at.
    bool read(const SampledContainer& container, const SampleContext&, NoState&, Values& values) override {
        OpenDescriptors sum;
        bool all_told = true;
        const bool all_seen = processes().finder().for_each(container.cgroup, [&](int process) {
            const auto found = count_open_descriptors(process);
            all_told = all_told && found;
            sum.all += found ? found->all : 0;
            sum.sockets += found ? found->sockets : 0;
        });
        if (all_seen && all_told) {
            values.set(Family::descriptors, sum.all);
            values.set(Family::sockets, sum.sockets);
        }
        return true;
    }
};

}  // namespace

std::unique_ptr<Probe> make_descriptors_probe() {
    return std::make_unique<DescriptorsProbe>();
}

}  // namespace plimsoll
