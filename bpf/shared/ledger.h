/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The thread ledger's records as the kernel side writes them and the daemon reads them (mapped, without a
 * system call). All values are cumulative; readers never reset them.
 */
#pragma once

#include "types.h"

/* What a thread is doing; exactly one at any moment. The order is the order of the series on /metrics. */
enum plimsoll_state {
    STATE_RUNNING,
    STATE_RUNNABLE,
    STATE_DISK,
    STATE_FUTEX,
    STATE_POLL,
    STATE_SOCKET,
    STATE_UNIX,
    STATE_PIPE,
    STATE_SLEEP,
    STATE_CHILD,
    STATE_IO_URING,
    STATE_FAULT,
    STATE_BLOCKED,
    STATE_STOPPED,
    STATE_OTHER,
    STATE_COUNT,
    STATE_UNKNOWN = 30, /* not a state of the ledger: it cannot be told from outside */
    STATE_DEAD = 31,    /* not a state of the ledger: the thread's account is closed */
};

/*
 * What is booked. A state of one kind only is its own cell; of those with several, the state itself is the
 * first kind: other sockets, reading from unix sockets and pipes. Every cell belongs to one state.
 */
enum plimsoll_cell {
    CELL_SOCKET_TCP_CLIENT = STATE_COUNT,
    CELL_SOCKET_TCP_SERVER,
    CELL_SOCKET_UDP,
    CELL_UNIX_WRITE,
    CELL_PIPE_WRITE,
    CELL_STATES_END,
    CELL_LIFETIME = CELL_STATES_END, /* written at birth and death only */
    CELL_COUNT,
};

/*
 * An account that includes the open intervals: its value at any moment is sum + n * now (modulo 2^64), where
 * n is the number of threads in it: entering at t adds 1 and -t, leaving at t adds -1 and t.
 */
struct ledger_cell {
    __u64 n;
    __u64 sum_ns;
};

#define LATENCY_BUCKETS 26 /* 2^0 … 2^24 µs, and above */

/*
 * One slot's account on one CPU. Written only by that CPU with interrupts off (scheduler hooks); the last
 * "CPU" of a slot is shared by programs that run in process context and write it with atomics. A writer
 * increments `begun` before and `ended` after; a copy is whole when `ended` read before equals `begun` read
 * after it.
 */
struct ledger_account {
    __u64 begun;
    __u64 ended;
    struct ledger_cell cells[CELL_COUNT];
    __u64 processes; /* births minus deaths */
    __u64 wakeups;
    __u64 voluntary_switches;
    __u64 involuntary_switches;
    __u64 migrations;
    __u64 stolen_ns; /* of the completed stays on a CPU: wall time minus growth of sum_exec_runtime */
    __u64 latency_sum_ns;
    __u64 latency_buckets[LATENCY_BUCKETS]; /* time from runnable to running, not cumulative */
    __u64 reserved[3];
};
PLIMSOLL_ASSERT_SIZE(struct ledger_account, 640); /* ten cache lines */

/* The states whose completed waits have a histogram each, in the order of the label's values. */
#define PLIMSOLL_TIMED_WAITS(X) X(DISK) X(FUTEX) X(PIPE) X(UNIX) X(SOCKET) X(POLL)
#define PLIMSOLL_TIMED_WAIT_ENUM(state) WAIT_##state,
enum plimsoll_timed_wait { PLIMSOLL_TIMED_WAITS(PLIMSOLL_TIMED_WAIT_ENUM) WAIT_COUNT };

/*
 * How long completed waits took, in one slot and a few of the CPUs: 1,300 bytes for every CPU would be too
 * much memory where there are many. Written with atomics.
 */
struct wait_account {
    __u64 sum_ns[WAIT_COUNT];
    __u64 buckets[WAIT_COUNT][LATENCY_BUCKETS];
    __u64 reserved[6];
};
PLIMSOLL_ASSERT_SIZE(struct wait_account, 1344); /* 21 cache lines */
#define WAIT_SHARDS_MAX 8                        /* accounts of a slot; a power of two */

/*
 * A thread's place in the ledger, in task storage. `word` packs the cell it is booked in (bits 0–7), slot
 * (8–31) and the scope generation it was resolved at (32–63), so that it changes as a whole. Everybody
 * changes it by compare-and-swap: the scheduler's hooks, which the scheduler orders for one thread, and those
 * who move threads. Whoever wins books the change.
 */
struct task_state {
    __u64 word;
    __u64 since_ns;    /* when the state began, by the run queue clock */
    __u64 charged_ns;  /* sum_exec_runtime at the last switch-out */
    __u64 migrations;  /* nr_migrations at the last switch-out */
    __u64 untold_ns;   /* since when it waited for somebody whom its next switch-in tells; 0: it does not */
    __u64 io_since_ns; /* probe io: CLOCK_BOOTTIME when the call that the thread is in began; 0: not known */
    __u32 process;     /* group leaders: enum process_phase */
    __u32 exit_seen;   /* group leaders: 1 when the process's exit has been counted */
    __u32 peer;        /* the account that its wait is booked in, see shared/peer.h; 0: none */
    __u8 wait_state;   /* the class of the last wait, for restart_syscall */
    __u8 compares;     /* the daemon's own thread: the two clocks are compared whenever it gets a CPU */
    __u8 io_cells[2];  /* probe io: what that call counts for, see shared/io.h */
};
PLIMSOLL_ASSERT_SIZE(struct task_state, 64);

enum process_phase { PROCESS_NONE, PROCESS_COUNTED, PROCESS_ENDED };

/* Slots: 0 is "not watched", 1 takes what has no slot of its own. */
enum { SLOT_NONE = 0, SLOT_OVERFLOW = 1, SLOT_FIRST = 2, SLOT_LIMIT = 1 << 24 };

/* What a cgroup id leads to. */
struct cgroup_scope {
    __u32 slot;
    __u32 flags;
};
enum {
    SCOPE_CONFIRMED = 1,   /* the daemon says: a container, or part of one; children inherit the slot */
    SCOPE_PROVISIONAL = 2, /* newborn: has a slot until the daemon confirms or releases it */
};

/* What every hook reads, in one cache line; shared by all objects. */
struct scope_control {
    __u32 generation; /* bumped when cgroups of threads change: cached slots of an older one are looked up
                         again */
    __u32 accounts_per_slot; /* possible CPUs + 1; set before loading */
    __s64 clock_offset_ns;   /* run queue clock minus CLOCK_BOOTTIME, see run_queue_clock() */
    __u64 compared_ns;       /* CLOCK_BOOTTIME of the last comparison; 0 before the first */
    __u32 booking;      /* the ledger's hooks are attached: without them a booked thread would never leave */
    __u32 slots;        /* how many there are */
    __u64 published_ns; /* the ledger's time of the last sample of peers: what was told by then stays so */
    __u32 peers_made;   /* accounts of peers that were taken for the first time */
    __u32 zero;         /* always 0, which the verifier does not know */
};

/* Places in the kernel programs that can fail; each has a counter. The names are the values of label `place`.
 */
#define PLIMSOLL_FAILURE_PLACES(X) \
    X(task_storage_full)           \
    X(cgroup_map_full)             \
    X(provisional_slots_exhausted) \
    X(account_missing)             \
    X(word_contended)              \
    X(switch_in_unseen)            \
    X(block_requests_full)         \
    X(block_accounts_full)         \
    X(io_call_unreadable)          \
    X(io_requests_full)            \
    X(socket_storage_full)         \
    X(peers_full)                  \
    X(traffic_accounts_full)
#define PLIMSOLL_FAILURE_ENUM(name) FAILURE_##name,
enum plimsoll_failure { PLIMSOLL_FAILURE_PLACES(PLIMSOLL_FAILURE_ENUM) FAILURE_COUNT };
