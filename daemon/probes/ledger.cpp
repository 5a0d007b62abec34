// SPDX-License-Identifier: Apache-2.0
// The thread ledger: every second of every thread of a container, by what it was doing.
#include "core/ledger.h"

#include <algorithm>
#include <array>
#include <bit>
#include <unordered_map>

#include "kernel/mapped_array.h"
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
        socket_waits,
        unix_waits,
        pipe_waits,
        waits,
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
    {"container_socket_wait_seconds_total", MetricType::counter, "seconds",
     "kind (tcp_client, tcp_server, udp, other)",
     "Time in state socket by what was waited for; tcp_server: a connection to come in, or one that did.",
     kSwitch},
    {"container_unix_wait_seconds_total", MetricType::counter, "seconds", "direction (read, write)",
     "Time in state unix: for data or connections to come in (read), or for room or an accept (write).",
     kSwitch},
    {"container_pipe_wait_seconds_total", MetricType::counter, "seconds", "direction (read, write)",
     "Time in state pipe: for data (read), or for room (write).", kSwitch},
    {"container_wait_seconds", MetricType::histogram, "seconds",
     "state (disk, futex, pipe, unix, socket, poll), from a thread's first wait of that kind on",
     "How long completed waits took, each counted once: from leaving the CPU to being woken.", kSwitch},
}};

/// Kinds of a state, which add up to it.
struct WaitKind {
    std::size_t family;
    std::size_t cell;
    std::string_view fragment;
};
constexpr std::array kWaitKinds{
    WaitKind{Family::socket_waits, CELL_SOCKET_TCP_CLIENT, R"(kind="tcp_client")"},
    WaitKind{Family::socket_waits, CELL_SOCKET_TCP_SERVER, R"(kind="tcp_server")"},
    WaitKind{Family::socket_waits, CELL_SOCKET_UDP, R"(kind="udp")"},
    WaitKind{Family::socket_waits, STATE_SOCKET, R"(kind="other")"},
    WaitKind{Family::unix_waits, STATE_UNIX, R"(direction="read")"},
    WaitKind{Family::unix_waits, CELL_UNIX_WRITE, R"(direction="write")"},
    WaitKind{Family::pipe_waits, STATE_PIPE, R"(direction="read")"},
    WaitKind{Family::pipe_waits, CELL_PIPE_WRITE, R"(direction="write")"},
};

#define PLIMSOLL_TIMED_STATE(state) STATE_##state,
constexpr std::array<std::size_t, WAIT_COUNT> kTimedStates{PLIMSOLL_TIMED_WAITS(PLIMSOLL_TIMED_STATE)};
#undef PLIMSOLL_TIMED_STATE

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

    Result<void> start(const ProbeContext& context) override;
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
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }
    [[nodiscard]] double residual_seconds() const override { return static_cast<double>(residual_ns_) / 1e9; }

  private:
    struct Row {
        std::uint32_t container;
        LedgerValues values;
        ledger_account sums;
        Handle handle;
        std::span<const std::uint32_t> slots;
        bool ended;
    };

    void write_states(SampleWriter& writer) const;
    void write_waits(SampleWriter& writer) const;
    [[nodiscard]] wait_account read_waits(std::uint32_t slot) const;

    Skeleton<ledger_bpf> skeleton_;
    Links links_;
    const Scope* scope_ = nullptr;
    SlotSums<ledger_account> sums_{
        [this](std::uint32_t slot) { return read_slot(scope_->slot_accounts(slot)); }};
    MappedArray<wait_account> wait_accounts_;
    std::uint32_t wait_shards_ = 1;
    SlotSums<wait_account> waits_{[this](std::uint32_t slot) { return read_waits(slot); }};
    std::unordered_map<Handle, LedgerReading> readings_;
    std::unordered_map<Handle, std::uint64_t> charged_ns_;  // of those that no file tells about
    std::vector<Row> rows_;
    std::uint64_t residual_ns_ = 0;
};

Result<void> LedgerProbe::start(const ProbeContext& context) {
    auto skeleton = open_skeleton<ledger_bpf>(context.scope.maps());
    if (!skeleton) {
        return std::unexpected(skeleton.error());
    }
    skeleton_ = std::move(*skeleton);
    scope_ = &context.scope;
    wait_shards_ = std::min<std::uint32_t>(std::bit_ceil(scope_->cpu_count()), WAIT_SHARDS_MAX);
    skeleton_->rodata->subsystem_index = scope_->subsystem_index();
    skeleton_->rodata->kernel_can_cast = context.types.has_function("bpf_rdonly_cast");
    if (!skeleton_->rodata->kernel_can_cast) {
        forgo_modules(skeleton_->obj);
    }
    skeleton_->rodata->wait_shards = wait_shards_;
    const std::uint32_t accounts = scope_->slot_count() * wait_shards_;
    bpf_map__set_max_entries(skeleton_->maps.wait_accounts, accounts);
    if (auto loaded = load_skeleton(*skeleton_); !loaded) {
        return loaded;
    }
    auto mapped = MappedArray<wait_account>::map(bpf_map__fd(skeleton_->maps.wait_accounts), accounts);
    if (!mapped) {
        return std::unexpected(mapped.error());
    }
    wait_accounts_ = std::move(*mapped);
    const auto attached = links_.attach(skeleton_->obj);
    if (attached) {
        context.scope.begin_booking();
    }
    return attached;
}

void LedgerProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    residual_ns_ = 0;
    for (const auto& container : context.containers) {
        const ledger_account sums = sums_.sum(container.handle, container.slots);
        LedgerReading& reading = readings_[container.handle];
        rows_.push_back({container.index, reading.update(sums, scope_->ledger_time(context.now_ns)), sums,
                         container.handle, container.slots, container.ended});
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
    write_waits(writer);
}

void LedgerProbe::write_waits(SampleWriter& writer) const {
    for (const std::size_t family : {Family::socket_waits, Family::unix_waits, Family::pipe_waits}) {
        writer.family(kMetrics[family], rows_.size() * 2);
        for (const auto& row : rows_) {
            for (const auto& kind : kWaitKinds) {
                if (kind.family == family) {
                    writer.add(row.container, kind.fragment,
                               Number::nanoseconds(row.values.cell_ns[kind.cell]));
                }
            }
        }
    }
    writer.family(kMetrics[Family::waits]);
    for (const auto& row : rows_) {
        const auto waited = [&](std::size_t state) { return row.values.state_ns[state] != 0; };
        if (std::ranges::none_of(kTimedStates, waited)) {
            continue;
        }
        const wait_account sums = waits_.sum(row.handle, row.slots);
        for (std::size_t wait = 0; wait < WAIT_COUNT; wait++) {
            if (waited(kTimedStates[wait])) {
                writer.histogram(row.container, kStateFragments[kTimedStates[wait]], sums.buckets[wait],
                                 sums.sum_ns[wait]);
            }
        }
    }
}

wait_account LedgerProbe::read_waits(std::uint32_t slot) const {
    wait_account sum{};
    for (const auto& account :
         wait_accounts_.elements().subspan(std::size_t{slot} * wait_shards_, wait_shards_)) {
        add_account(sum, account);
    }
    return sum;
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
