// SPDX-License-Identifier: Apache-2.0
// A probe that looks into the processes of containers: FileProbe with what finds them, and a start that tests
// can call with processes of their own.
#pragma once

#include "files/container_process.h"
#include "probes/file_probe.h"

namespace plimsoll {

/// What start() of such a probe needs of its context; a test gives it fixtures.
class LooksIntoProcesses {
  public:
    virtual ~LooksIntoProcesses() = default;
    virtual void open(ContainerProcesses* processes) = 0;
};

inline constexpr std::array<FileSeries, 0> kOpenSetsOnly{};

template <typename State, std::size_t SeriesCount = 0>
class ProcessFileProbe : public FileProbe<State, SeriesCount>, public LooksIntoProcesses {
  public:
    Result<void> start(const ProbeContext& context) override {
        open(context.processes);
        return may_look_into_processes();
    }
    void open(ContainerProcesses* processes) override { processes_ = processes; }
    void sample(const SampleContext& context, SampleWriter& writer) override {
        FileProbe<State, SeriesCount>::sample({context.now_ns, context.containers, shown_of(context.groups)},
                                              writer);
    }

  protected:
    using FileProbe<State, SeriesCount>::FileProbe;
    ProcessFileProbe()
        requires(SeriesCount == 0)
        : FileProbe<State, SeriesCount>(kOpenSetsOnly) {}

    using Groups = std::span<const SampledContainer>;
    /// The groups that are sampled, too; none: their processes are those of containers.
    virtual Groups shown_of(Groups) { return {}; }
    [[nodiscard]] ContainerProcesses& processes() { return *processes_; }

  private:
    ContainerProcesses* processes_ = nullptr;
};

}  // namespace plimsoll
