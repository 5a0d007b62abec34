// SPDX-License-Identifier: Apache-2.0
// The families of probe ledger and the labels of their series.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/metric.h"
#include "probes/shared_families.h"
#include "shared/ledger.h"

namespace plimsoll {

inline constexpr std::string_view kLedgerSwitch = "tp_btf/sched_switch, tp_btf/sched_wakeup";
inline constexpr std::string_view kLedgerLife = "tp_btf/task_newtask, tp_btf/sched_switch (TASK_DEAD)";
inline constexpr std::string_view kLedgerStates =
    "state (running, runnable, disk, futex, poll, socket, unix, pipe, sleep, child, io_uring, fault, "
    "blocked, stopped, other)";

struct LedgerFamily {
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

inline constexpr std::array<MetricSpec, LedgerFamily::count> kLedgerMetrics{{
    {"container_thread_seconds_total", MetricType::counter, "seconds", kLedgerStates,
     "Time that the container's threads spent in each state; a thread is always in exactly one.",
     kLedgerSwitch},
    {"container_thread_lifetime_seconds_total", MetricType::counter, "seconds", "",
     "Time that the container's threads have lived, counted at birth and death only: what the states add up "
     "to.",
     kLedgerLife},
    {"container_thread_states", MetricType::gauge, "", kLedgerStates, "Threads that are in each state now.",
     kLedgerSwitch},
    kThreads,
    kProcesses,
    {"container_run_queue_latency_seconds", MetricType::histogram, "seconds", "",
     "Time from becoming runnable (woken, preempted or born) to running on a CPU.", kLedgerSwitch},
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
     kLedgerSwitch},
    {"container_unix_wait_seconds_total", MetricType::counter, "seconds", "direction (read, write)",
     "Time in state unix: for data or connections to come in (read), or for room or an accept (write).",
     kLedgerSwitch},
    {"container_pipe_wait_seconds_total", MetricType::counter, "seconds", "direction (read, write)",
     "Time in state pipe: for data (read), or for room (write).", kLedgerSwitch},
    {"container_wait_seconds", MetricType::histogram, "seconds",
     "state (disk, futex, pipe, unix, socket, poll), from a thread's first wait of that kind on",
     "How long completed waits took, each counted once: from leaving the CPU to being woken.", kLedgerSwitch},
}};

/// Kinds of a state, which add up to it.
struct LedgerWaitKind {
    std::size_t family;
    std::size_t cell;
    std::string_view fragment;
};
inline constexpr std::array kLedgerWaitKinds{
    LedgerWaitKind{LedgerFamily::socket_waits, CELL_SOCKET_TCP_CLIENT, R"(kind="tcp_client")"},
    LedgerWaitKind{LedgerFamily::socket_waits, CELL_SOCKET_TCP_SERVER, R"(kind="tcp_server")"},
    LedgerWaitKind{LedgerFamily::socket_waits, CELL_SOCKET_UDP, R"(kind="udp")"},
    LedgerWaitKind{LedgerFamily::socket_waits, STATE_SOCKET, R"(kind="other")"},
    LedgerWaitKind{LedgerFamily::unix_waits, STATE_UNIX, R"(direction="read")"},
    LedgerWaitKind{LedgerFamily::unix_waits, CELL_UNIX_WRITE, R"(direction="write")"},
    LedgerWaitKind{LedgerFamily::pipe_waits, STATE_PIPE, R"(direction="read")"},
    LedgerWaitKind{LedgerFamily::pipe_waits, CELL_PIPE_WRITE, R"(direction="write")"},
};

inline constexpr std::array<std::string_view, STATE_COUNT> kLedgerStateFragments{
    R"(state="running")", R"(state="runnable")", R"(state="disk")",     R"(state="futex")",
    R"(state="poll")",    R"(state="socket")",   R"(state="unix")",     R"(state="pipe")",
    R"(state="sleep")",   R"(state="child")",    R"(state="io_uring")", R"(state="fault")",
    R"(state="blocked")", R"(state="stopped")",  R"(state="other")"};

}  // namespace plimsoll
