// SPDX-License-Identifier: Apache-2.0
// Processes: forks, execs, exits by outcome, lifetimes, OOM kills.
#include <array>
#include <csignal>
#include <cstring>

#include "kernel/mapped_array.h"
#include "probes/kernel_probe.h"
#include "process.skel.h"
#include "shared/process.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t { forks, execs, exits, lifetimes, oom_kills, count };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_process_forks_total", MetricType::counter, "", "", "Processes born in the container.",
     "tp_btf/task_newtask"},
    {"container_process_execs_total", MetricType::counter, "", "",
     "Programs started by exec in the container.", "tp_btf/sched_process_exec"},
    {"container_process_exits_total", MetricType::counter, "",
     "outcome (success, failure, or the name of the signal that ended it)",
     "Processes of the container that ended, by outcome.", "tp_btf/sched_process_exit"},
    {"container_process_seconds", MetricType::histogram, "seconds", "",
     "Lifetimes of the container's processes that ended.", "tp_btf/sched_process_exit"},
    {"container_oom_events_total", MetricType::counter, "", "",
     "Processes of the container that the kernel's out-of-memory killer ended.",
     "tp_btf/mark_victim, tp_btf/sched_process_exit"},
}};

/// Fragments of label `outcome` by index of process_account::exits: the value is the signal's name, as in
/// kill -l.
std::array<std::string, PROCESS_OUTCOMES> outcome_fragments() {
    std::array<std::string, PROCESS_OUTCOMES> fragments;
    for (int signal = 1; signal < OUTCOME_FAILURE; signal++) {
        const char* abbreviation = sigabbrev_np(signal);
        std::string name = abbreviation != nullptr ? "SIG" + std::string(abbreviation) : std::string();
        if (name.empty()) {
            name = signal >= SIGRTMIN && signal <= SIGRTMAX ? "SIGRTMIN+" + std::to_string(signal - SIGRTMIN)
                                                            : "SIG" + std::to_string(signal);
        }
        fragments[static_cast<std::size_t>(signal)] = "outcome=\"" + name + "\"";
    }
    fragments[OUTCOME_SUCCESS] = R"(outcome="success")";
    fragments[OUTCOME_FAILURE] = R"(outcome="failure")";
    return fragments;
}

class ProcessProbe : public KernelProbe<process_bpf> {
  public:
    ProcessProbe() : KernelProbe("process", kMetrics) {}

    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override { sums_.forget(container); }

  private:
    struct Row {
        std::uint32_t container;
        process_account sums;
    };

    void choose_programs(const process_bpf& skeleton, const KernelTypes& types) const override {
        const bool by_task = types.tracepoint_argument_is_pointer("mark_victim", 0);
        bpf_program__set_autoload(skeleton.progs.on_oom_victim, by_task);
        bpf_program__set_autoload(skeleton.progs.on_oom_victim_id, !by_task);
    }
    void configure(const ProbeContext& context) override {
        skeleton().rodata->events_use_ringbuf = context.scope.uses_ringbuf();
        bpf_map__set_max_entries(skeleton().maps.process_accounts, context.scope.slot_count());
    }
    Result<void> map_arrays() override { return map_into(accounts_, skeleton().maps.process_accounts); }
    void write_exits(SampleWriter& writer) const;

    MappedArray<process_account> accounts_;
    SlotSums<process_account> sums_{[this](std::uint32_t slot) { return accounts_[slot]; }};
    std::array<std::string, PROCESS_OUTCOMES> outcomes_ = outcome_fragments();
    std::vector<Row> rows_;
};

void ProcessProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots)});
    }
    const auto write = [&](std::size_t family, auto member) {
        writer.family(kMetrics[family], rows_.size());
        for (const auto& row : rows_) {
            writer.add(row.container, {}, Number::count(row.sums.*member));
        }
    };
    write(Family::forks, &process_account::forks);
    write(Family::execs, &process_account::execs);
    write_exits(writer);
    writer.family(kMetrics[Family::lifetimes], rows_.size());
    for (const auto& row : rows_) {
        writer.histogram(row.container, {}, row.sums.lifetime_buckets, row.sums.lifetime_sum_ns);
    }
    write(Family::oom_kills, &process_account::oom_kills);
    accounts_.release_unread();
}

/// Success and failure start at 0 with the container; a signal appears when it first ends a process.
void ProcessProbe::write_exits(SampleWriter& writer) const {
    writer.family(kMetrics[Family::exits], rows_.size() * 2);
    for (const auto& row : rows_) {
        for (std::size_t outcome = 0; outcome < PROCESS_OUTCOMES; outcome++) {
            const bool fixed = outcome == OUTCOME_SUCCESS || outcome == OUTCOME_FAILURE;
            if (fixed || row.sums.exits[outcome] != 0) {
                writer.add(row.container, outcomes_[outcome], Number::count(row.sums.exits[outcome]));
            }
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_process_probe() {
    return std::make_unique<ProcessProbe>();
}

}  // namespace plimsoll
