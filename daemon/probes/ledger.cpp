// SPDX-License-Identifier: Apache-2.0
// The thread ledger: every second of every thread of a container, by what it was doing.
#include "core/ledger.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "ledger.skel.h"
#include "probes/kernel_probe.h"
#include "probes/ledger_families.h"
#include "probes/ledger_waits.h"
#include "probes/shared_families.h"

namespace plimsoll {

namespace {

constexpr std::string_view kVoluntary = R"(kind="voluntary")";
constexpr std::string_view kInvoluntary = R"(kind="involuntary")";

/// What cAdvisor calls them, and which of ours they are made of.
struct TaskState {
    enum : std::uint8_t { sleeping, running, stopped, uninterruptible, io_waiting, count };
};
constexpr std::array<std::string_view, TaskState::count> kTaskFragments{
    R"(state="sleeping")", R"(state="running")", R"(state="stopped")", R"(state="uninterruptible")",
    R"(state="iowaiting")"};

constexpr std::size_t task_state_of(std::size_t state) {
    switch (state) {
        case STATE_RUNNING:
        case STATE_RUNNABLE:
            return TaskState::running;
        case STATE_STOPPED:
            return TaskState::stopped;
        case STATE_BLOCKED:
            return TaskState::uninterruptible;
        case STATE_DISK:
            return TaskState::io_waiting;
        default:
            return TaskState::sleeping;
    }
}

class LedgerProbe : public KernelProbe<ledger_bpf> {
  public:
    LedgerProbe() : KernelProbe("ledger", kLedgerMetrics) {}

    void sample(const SampleContext& context, SampleWriter& writer) override;
    void supply(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override {
        sums_.fold(slot, heir);
        waits_.fold(slot, heir);
    }
    void forget(Handle container) override {
        sums_.forget(container);
        waits_.forget(container);
        readings_.erase(container);
        charged_ns_.erase(container);
    }
    [[nodiscard]] double residual_seconds() const override { return static_cast<double>(residual_ns_) / 1e9; }

  private:
    void configure(const ProbeContext& context) override;
    Result<void> map_arrays() override;
    Result<void> attach_programs(Links& links) override;
    void write_states(SampleWriter& writer) const;
    void write_kinds_of_waits(SampleWriter& writer) const;

    Scope* scope_ = nullptr;
    SlotSums<ledger_account> sums_{
        [this](std::uint32_t slot) { return read_slot(scope_->slot_accounts(slot)); }};
    LedgerWaits waits_;
    std::unordered_map<Handle, LedgerReading> readings_;
    std::unordered_map<Handle, std::uint64_t> charged_ns_;  // of those that no file tells about
    std::vector<LedgerRow> rows_;
    std::uint64_t residual_ns_ = 0;
};

void LedgerProbe::configure(const ProbeContext& context) {
    scope_ = &context.scope;
    const std::uint32_t shards = LedgerWaits::shards(scope_->cpu_count());
    skeleton().rodata->wait_shards = shards;
    bpf_map__set_max_entries(skeleton().maps.wait_accounts, scope_->slot_count() * shards);
}

Result<void> LedgerProbe::map_arrays() {
    return waits_.open(skeleton().maps.wait_accounts, skeleton().rodata->wait_shards);
}

Result<void> LedgerProbe::attach_programs(Links& links) {
    auto attached = KernelProbe::attach_programs(links);
    if (attached) {
        scope_->begin_booking();
    }
    return attached;
}

void LedgerProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    residual_ns_ = 0;
    scope_->begin_sample(scope_->ledger_time(context.now_ns));
    for (const auto& container : context.containers) {
        const ledger_account sums = sums_.sum(container.handle, container.slots);
        LedgerReading& reading = readings_[container.handle];
        rows_.push_back({container.index, reading.update(sums, scope_->sample_time()), sums, container.handle,
                         container.slots, container.ended});
        residual_ns_ = std::max(residual_ns_, reading.residual_ns());
    }
    write_states(writer);
    const auto write = [&](std::size_t family, auto value_of) {
        writer.family(kLedgerMetrics[family], rows_.size());
        for (const auto& row : rows_) {
            writer.add(row.container, {}, value_of(row));
        }
    };
    write(LedgerFamily::threads, [](const LedgerRow& row) { return Number::count(row.values.thread_count); });
    write(LedgerFamily::processes, [](const LedgerRow& row) { return Number::count(row.values.processes); });
    writer.family(kLedgerMetrics[LedgerFamily::latency], rows_.size());
    for (const auto& row : rows_) {
        writer.histogram(row.container, {}, row.sums.latency_buckets, row.sums.latency_sum_ns);
    }
    writer.family(kLedgerMetrics[LedgerFamily::switches], rows_.size() * 2);
    for (const auto& row : rows_) {
        writer.add(row.container, kVoluntary, Number::count(row.sums.voluntary_switches));
        writer.add(row.container, kInvoluntary, Number::count(row.sums.involuntary_switches));
    }
    write(LedgerFamily::migrations, [](const LedgerRow& row) { return Number::count(row.sums.migrations); });
    write(LedgerFamily::wakeups, [](const LedgerRow& row) { return Number::count(row.sums.wakeups); });
    write(LedgerFamily::stolen,
          [](const LedgerRow& row) { return Number::nanoseconds(row.values.stolen_ns); });
    write_kinds_of_waits(writer);
    waits_.sample(rows_, writer);
}

void LedgerProbe::write_kinds_of_waits(SampleWriter& writer) const {
    for (const std::size_t family :
         {LedgerFamily::socket_waits, LedgerFamily::unix_waits, LedgerFamily::pipe_waits}) {
        writer.family(kLedgerMetrics[family], rows_.size() * 2);
        for (const auto& row : rows_) {
            for (const auto& kind : kLedgerWaitKinds) {
                if (kind.family == family) {
                    writer.add(row.container, kind.fragment,
                               Number::nanoseconds(row.values.cell_ns[kind.cell]));
                }
            }
        }
    }
}

/// Stolen time is booked later than the running time that it is part of, so their difference is held up.
void LedgerProbe::supply(const SampleContext&, SampleWriter& writer) {
    if (writer.has(kCpuUsage)) {
        auto usage = writer.supplement(kCpuUsage);
        for (const auto& row : rows_) {
            if (!usage.lacks(row.container)) {
                continue;
            }
            const std::uint64_t running = row.values.state_ns[STATE_RUNNING];
            std::uint64_t& charged = charged_ns_[row.handle];
            charged = std::max(charged, running - std::min(running, row.values.stolen_ns));
            usage.add(row.container, kTotalCpu, Number::nanoseconds(charged));
        }
    }
    if (writer.has(kTasksState)) {
        auto tasks = writer.supplement(kTasksState);
        for (const auto& row : rows_) {
            if (row.ended) {
                continue;
            }
            std::array<std::uint64_t, TaskState::count> threads{};
            for (std::size_t state = 0; state < STATE_COUNT; state++) {
                threads[task_state_of(state)] += row.values.threads[state];
            }
            for (std::size_t state = 0; state < TaskState::count; state++) {
                tasks.add(row.container, kTaskFragments[state], Number::count(threads[state]));
            }
        }
    }
}

void LedgerProbe::write_states(SampleWriter& writer) const {
    writer.family(kLedgerMetrics[LedgerFamily::thread_seconds], rows_.size() * STATE_COUNT);
    for (const auto& row : rows_) {
        for (std::size_t state = 0; state < STATE_COUNT; state++) {
            writer.add(row.container, kLedgerStateFragments[state],
                       Number::nanoseconds(row.values.state_ns[state]));
        }
    }
    writer.family(kLedgerMetrics[LedgerFamily::lifetime], rows_.size());
    for (const auto& row : rows_) {
        writer.add(row.container, {}, Number::nanoseconds(row.values.lifetime_ns));
    }
    writer.family(kLedgerMetrics[LedgerFamily::thread_states], rows_.size() * STATE_COUNT);
    for (const auto& row : rows_) {
        for (std::size_t state = 0; state < STATE_COUNT; state++) {
            writer.add(row.container, kLedgerStateFragments[state], Number::count(row.values.threads[state]));
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_ledger_probe() {
    return std::make_unique<LedgerProbe>();
}

}  // namespace plimsoll
