/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The accounts of shared/ledger.h: finding one and moving threads between its cells.
 *
 * There are two kinds of writers, because programs that interrupt each other must not share cells. `own`
 * accounts belong to the CPU that runs the program and are written by the scheduler's hooks only, which run
 * with interrupts off: plain additions. The shared account of a slot, its last one, takes everything that
 * runs in process context (births, moves, seeding), from any CPU: atomics.
 */
#pragma once

#include "failures.bpf.h"
#include "kernel.bpf.h"
#include "shared/ledger.h"

struct scope_control scope_control SEC(".data.scope") = {};

/*
 * The number, of which the verifier forgets what it knows: what follows is checked once, instead of again for
 * each value that led here. For a few known values that become an index: the bounds must be checked after.
 */
static __always_inline __u32 opaque(__u32 number) {
    return number ^ *(volatile __u32*)&scope_control.zero;
}

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct ledger_account);
} accounts SEC(".maps");

/*
 * The ledger's time is the scheduler's own: the run queue clock, which it reads at the beginning of each
 * switch and wake-up. Taking it over instead of reading a clock again saves nearly half of what a hook
 * costs, and makes the ledger agree with the kernel's CPU accounting. Nobody else can read it, so it is
 * compared with CLOCK_BOOTTIME now and then; docs/decisions/0004 says how well that fits.
 */
static __always_inline __u64 run_queue_clock(struct task_struct* task) {
    if (bpf_core_field_exists(task->se.cfs_rq))
        return task->se.cfs_rq->rq->clock;
    return bpf_ktime_get_boot_ns();
}

/* The same time in process context, by way of CLOCK_BOOTTIME. */
static __always_inline __u64 ledger_time(void) {
    return bpf_ktime_get_boot_ns() + *(volatile __s64*)&scope_control.clock_offset_ns;
}

enum writer { WRITER_OWN, WRITER_SHARED };

static __always_inline struct ledger_account* find_account(enum writer writer, __u32 slot) {
    __u32 count = *(volatile __u32*)&scope_control.accounts_per_slot;
    __u32 key = slot * count + (writer == WRITER_OWN ? bpf_get_smp_processor_id() : count - 1);
    struct ledger_account* account = bpf_map_lookup_elem(&accounts, &key);
    if (!account)
        count_failure(FAILURE_account_missing);
    return account;
}

static __always_inline void add(enum writer writer, __u64* counter, __u64 amount) {
    if (writer == WRITER_OWN)
        *(volatile __u64*)counter += amount;
    else
        __sync_fetch_and_add(counter, amount);
}

/* x86 keeps the order of stores; elsewhere only a fetching atomic is a full barrier in BPF. */
static __always_inline void mark(enum writer writer, __u64* counter) {
#if defined(__TARGET_ARCH_x86)
    add(writer, counter, 1);
    barrier();
#else
    volatile __u64 ordered = __sync_fetch_and_add(counter, 1);
    (void)ordered;
#endif
}

static __always_inline void begin(enum writer writer, struct ledger_account* account) {
    mark(writer, &account->begun);
}

static __always_inline void end(enum writer writer, struct ledger_account* account) {
    barrier();
    mark(writer, &account->ended);
}

/* The barrier keeps the compiler from comparing another copy of the index than the one that it uses. */
static __always_inline struct ledger_cell* find_cell(struct ledger_account* account, __u32 cell) {
    barrier_var(cell);
    return cell < CELL_COUNT ? &account->cells[cell] : 0;
}

static __always_inline void enter(enum writer writer, struct ledger_account* account, __u32 cell, __u64 now) {
    struct ledger_cell* target = find_cell(account, cell);
    if (!target)
        return;
    add(writer, &target->n, 1);
    add(writer, &target->sum_ns, -now);
}

static __always_inline void leave(enum writer writer, struct ledger_account* account, __u32 cell, __u64 now) {
    struct ledger_cell* target = find_cell(account, cell);
    if (!target)
        return;
    add(writer, &target->n, -1);
    add(writer, &target->sum_ns, now);
}
