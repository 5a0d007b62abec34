// SPDX-License-Identifier: Apache-2.0
// The limit of threads, and the family of threads by cAdvisor's states, which the ledger fills. Where the
// ledger is off, how many threads and processes there are.
#include <array>

#include "files/container_process.h"
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
    void open(const FileRoots& roots) override {
        CgroupProbe::open(roots);
        if (may_look_into_processes()) {
            finder_.emplace(roots.layout, roots.proc);
        }
    }
    void supply(const SampleContext& context, SampleWriter& writer) override {
        supply(kThreads, context, writer, [this](CgroupName cgroup) { return threads_in(cgroup); });
        supply(kProcesses, context, writer, [this](CgroupName cgroup) { return processes_in(cgroup); });
    }

  private:
    void find_hierarchies(const CgroupLayout& layout) override {
        pids_ = layout.with_controller("pids");
        pids_ = pids_ != nullptr ? pids_ : unified(layout);
    }
    void ended(TasksState& state) override { state = {}; }
    bool holds_in_rest(const TasksState& state) const override {
        return !reader().may_have_new_limits(state.directory);
    }

    bool read(const SampledContainer& container, const SampleContext&, TasksState& state,
              Values& values) override {
        const CgroupName cgroup = name_of(container);
        if (pids_ != nullptr) {
            reader().watch_limits(*pids_, cgroup, state.directory);
        }
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

    template <typename Count>
    static void supply(const MetricSpec& spec, const SampleContext& context, SampleWriter& writer,
                       Count count) {
        if (writer.has(spec)) {
            return;
        }
        auto family = writer.supplement(spec);
        for (const auto& container : context.containers) {
            const auto known =
                container.ended || container.cgroup_id == 0 ? std::nullopt : count(name_of(container));
            if (known) {
                family.add(container.index, {}, Number::count(*known));
            }
        }
    }
    std::optional<std::uint64_t> threads_in(CgroupName cgroup) {
        CgroupDirectory directory;
        const auto text = reader().first(pids_, cgroup, directory, "pids.current", nullptr);
        return text ? parse_number(*text) : std::nullopt;
    }
    std::optional<std::uint64_t> processes_in(CgroupName cgroup) {
        std::uint64_t count = 0;
        const bool all = finder_ && finder_->for_each(cgroup.path, [&](int) { ++count; });
        return all ? std::optional(count) : std::nullopt;
    }

    const CgroupHierarchy* pids_ = nullptr;
    std::optional<ProcessFinder> finder_;  ///< none: processes may not be looked at
};

}  // namespace

std::unique_ptr<Probe> make_tasks_probe() {
    return std::make_unique<TasksProbe>();
}

}  // namespace plimsoll
