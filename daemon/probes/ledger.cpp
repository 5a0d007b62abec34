// SPDX-License-Identifier: Apache-2.0
// The thread ledger: every second of every thread of a container, by what it was doing.
#include "core/ledger.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "kernel/programs.h"
#include "ledger.skel.h"
#include "probes/probe.h"
#include "probes/shared_families.h"

namespace plimsoll {

namespace {

constexpr std::string_view kSwitch = "tp_btf/sched_switch, tp_btf/sched_wakeup";
constexpr std::string_view kLife = "tp_btf/task_newtask, tp_btf/sched_switch (TASK_DEAD)";
constexpr std::string_view kStates =
    "state (running, runnable, disk, futex, poll, socket, unix, pipe, sleep, child, io_uring, fault, "
    "blocked, "
    "stopped, other)";

struct Family {
    enum : std::uint8_t {
        thread_seconds,
        lifetime,
        thread_states,
        threads,
        processes,
        latency,
        switches,
        migrations,
        wakeups,
        stolen,
        count
    };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_thread_seconds_total", MetricType::counter, "seconds", kStates,
     "Time that the container's threads spent in each state; a thread is always in exactly one.", kSwitch},
    {"container_thread_lifetime_seconds_total", MetricType::counter, "seconds", "",
     "Time that the container's threads have lived, counted at birth and death only: what the states add up "
     "to.",
     kLife},
    {"container_thread_states", MetricType::gauge, "", kStates, "Threads that are in each state now.",
     kSwitch},
    kThreads,
    kProcesses,
    {"container_run_queue_latency_seconds", MetricType::histogram, "seconds", "",
     "Time from becoming runnable (woken, preempted or born) to running on a CPU.", kSwitch},
    {"container_context_switches_total", MetricType::counter, "", "kind (voluntary, involuntary)",
     "Times that a thread left its CPU: because it waits (voluntary), or still runnable (involuntary).",
     "tp_btf/sched_switch"},
    {"container_cpu_migrations_total", MetricType::counter, "", "", "Moves of threads to another CPU.",
     "tp_btf/sched_switch (se.nr_migrations)"},
    {"container_wakeups_total", MetricType::counter, "", "", "Times that a waiting thread was made runnable.",
     "tp_btf/sched_wakeup"},
    {"container_cpu_stolen_seconds_total", MetricType::counter, "seconds", "",
     "What of the completed stays on a CPU (state running) the kernel did not charge to the thread: taken by "
     "interrupts or by the hypervisor.",
     "tp_btf/sched_switch (wall time minus the growth of se.sum_exec_runtime)"},
}};

constexpr std::string_view kVoluntary = R"(kind="voluntary")";
constexpr std::string_view kInvoluntary = R"(kind="involuntary")";

constexpr std::array<std::string_view, STATE_COUNT> kStateFragments{
    R"(state="running")", R"(state="runnable")", R"(state="disk")",     R"(state="futex")",
    R"(state="poll")",    R"(state="socket")",   R"(state="unix")",     R"(state="pipe")",
    R"(state="sleep")",   R"(state="child")",    R"(state="io_uring")", R"(state="fault")",
    R"(state="blocked")", R"(state="stopped")",  R"(state="other")"};

/// What cAdvisor calls them, and which of ours they are made of.
enum TaskState : std::uint8_t { kSleeping, kRunning, kStopped, kUninterruptible, kIoWaiting, kTaskStates };
constexpr std::array<std::string_view, kTaskStates> kTaskFragments{
    R"(state="sleeping")", R"(state="running")", R"(state="stopped")", R"(state="uninterruptible")",
    R"(state="iowaiting")"};

constexpr TaskState task_state_of(std::size_t state) {
    switch (state) {
        case STATE_RUNNING:
        case STATE_RUNNABLE:
            return kRunning;
        case STATE_STOPPED:
            return kStopped;
        case STATE_BLOCKED:
            return kUninterruptible;
        case STATE_DISK:
            return kIoWaiting;
        default:
            return kSleeping;
    }
}

class LedgerProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "ledger"; }
    [[nodiscard]] std::string_view method() const override { return "tp_btf"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes&) const override {
        const auto skeleton = open_skeleton<ledger_bpf>({});
        return skeleton ? program_sections((*skeleton)->obj) : std::vector<std::string>{};
    }

    Result<void> start(const ProbeContext& context) override {
        auto skeleton = open_skeleton<ledger_bpf>(context.scope.maps());
        if (!skeleton) {
            return std::unexpected(skeleton.error());
        }
        skeleton_ = std::move(*skeleton);
        skeleton_->rodata->subsystem_index = context.scope.subsystem_index();
        skeleton_->rodata->kernel_can_cast = context.types.has_function("bpf_rdonly_cast");
        if (!skeleton_->rodata->kernel_can_cast) {
            forgo_modules(skeleton_->obj);
        }
        if (auto loaded = load_skeleton(*skeleton_); !loaded) {
            return loaded;
        }
        scope_ = &context.scope;
        const auto attached = links_.attach(skeleton_->obj);
        if (attached) {
            context.scope.begin_booking();
        }
        return attached;
    }

    void sample(const SampleContext& context, SampleWriter& writer) override;
    void supply(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override {
        sums_.forget(container);
        readings_.erase(container);
        charged_ns_.erase(container);
    }
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }
    [[nodiscard]] double residual_seconds() const override { return static_cast<double>(residual_ns_) / 1e9; }

  private:
    struct Row {
        std::uint32_t container;
        LedgerValues values;
        ledger_account sums;
        Handle handle;
        bool ended;
    };

    void write_states(SampleWriter& writer) const;

    Skeleton<ledger_bpf> skeleton_;
    Links links_;
    const Scope* scope_ = nullptr;
    SlotSums<ledger_account> sums_{
        [this](std::uint32_t slot) { return read_slot(scope_->slot_accounts(slot)); }};
    std::unordered_map<Handle, LedgerReading> readings_;
    std::unordered_map<Handle, std::uint64_t> charged_ns_;  // of those that no file tells about
    std::vector<Row> rows_;
    std::uint64_t residual_ns_ = 0;
};

void LedgerProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    residual_ns_ = 0;
    for (const auto& container : context.containers) {
        const ledger_account sums = sums_.sum(container.handle, container.slots);
        LedgerReading& reading = readings_[container.handle];
        rows_.push_back({container.index, reading.update(sums, scope_->ledger_time(context.now_ns)), sums,
                         container.handle, container.ended});
        residual_ns_ = std::max(residual_ns_, reading.residual_ns());
    }
    write_states(writer);
    const auto write = [&](std::size_t family, auto value_of) {
        writer.family(kMetrics[family], rows_.size());
        for (const auto& row : rows_) {
            writer.add(row.container, {}, value_of(row));
        }
    };
    write(Family::threads, [](const Row& row) { return Number::count(row.values.thread_count); });
    write(Family::processes, [](const Row& row) { return Number::count(row.values.processes); });
    writer.family(kMetrics[Family::latency], rows_.size());
    for (const auto& row : rows_) {
        writer.histogram(row.container, {}, row.sums.latency_buckets, row.sums.latency_sum_ns);
    }
    writer.family(kMetrics[Family::switches], rows_.size() * 2);
    for (const auto& row : rows_) {
        writer.add(row.container, kVoluntary, Number::count(row.sums.voluntary_switches));
        writer.add(row.container, kInvoluntary, Number::count(row.sums.involuntary_switches));
    }
    write(Family::migrations, [](const Row& row) { return Number::count(row.sums.migrations); });
    write(Family::wakeups, [](const Row& row) { return Number::count(row.sums.wakeups); });
    write(Family::stolen, [](const Row& row) { return Number::nanoseconds(row.values.stolen_ns); });
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
            std::array<std::uint64_t, kTaskStates> threads{};
            for (std::size_t state = 0; state < STATE_COUNT; state++) {
                threads[task_state_of(state)] += row.values.threads[state];
            }
            for (std::size_t state = 0; state < kTaskStates; state++) {
                tasks.add(row.container, kTaskFragments[state], Number::count(threads[state]));
            }
        }
    }
}

void LedgerProbe::write_states(SampleWriter& writer) const {
    writer.family(kMetrics[Family::thread_seconds], rows_.size() * STATE_COUNT);
    for (const auto& row : rows_) {
        for (std::size_t state = 0; state < STATE_COUNT; state++) {
            writer.add(row.container, kStateFragments[state],
                       Number::nanoseconds(row.values.state_ns[state]));
        }
    }
    writer.family(kMetrics[Family::lifetime], rows_.size());
    for (const auto& row : rows_) {
        writer.add(row.container, {}, Number::nanoseconds(row.values.lifetime_ns));
    }
    writer.family(kMetrics[Family::thread_states], rows_.size() * STATE_COUNT);
    for (const auto& row : rows_) {
        for (std::size_t state = 0; state < STATE_COUNT; state++) {
            writer.add(row.container, kStateFragments[state], Number::count(row.values.threads[state]));
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_ledger_probe() {
    return std::make_unique<LedgerProbe>();
}

}  // namespace plimsoll
