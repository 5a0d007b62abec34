// SPDX-License-Identifier: Apache-2.0
// The limit of threads; and the family of threads by cAdvisor's states, which the ledger fills.
#include <array>

#include "probes/cgroup_probe.h"
#include "probes/shared_families.h"

namespace plimsoll {

namespace {

constexpr std::array<MetricSpec, 2> kMetrics{{
    {"container_threads_max", MetricType::gauge, "", "",
     "Threads that the container may have; 0 when it is unlimited.", "pids.max"},
    kTasksState,
}};

constexpr std::array<FileSeries, 1> kTable{{{0, {}, Number::Kind::integer}}};

struct TasksState {
    CgroupDirectory directory;
};

class TasksProbe : public CgroupProbe<TasksState, 1> {
  public:
    TasksProbe() : CgroupProbe(kTable) {}
    [[nodiscard]] std::string_view name() const override { return "tasks"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  private:
    void find_hierarchies(const CgroupLayout& layout) override {
        pids_ = layout.with_controller("pids");
        pids_ = pids_ != nullptr ? pids_ : unified(layout);
    }
    void ended(TasksState& state) override { state = {}; }

    bool read(const SampledContainer& container, const SampleContext&, TasksState& state,
              Values& values) override {
        const CgroupName cgroup = name_of(container);
        const auto text = reader().first(pids_, cgroup, state.directory, "pids.max", nullptr);
        if (!text) {
            return !state.directory.gone() && reader().alive(cgroup);
        }
        auto limit = parse_limit(*text);
        if (const auto below = reader().limit_below(*pids_, cgroup, state.directory, "pids.max")) {
            limit = parse_limit(*below);
        }
        if (limit) {
            values.set(0, *limit == UINT64_MAX ? 0 : *limit);
        }
        return true;
    }

    const CgroupHierarchy* pids_ = nullptr;
};

}  // namespace

std::unique_ptr<Probe> make_tasks_probe() {
    return std::make_unique<TasksProbe>();
}

}  // namespace plimsoll
