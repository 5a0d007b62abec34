/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one definition of "container" in the kernel: task or cgroup -> slot, and how a thread moves between
 * slots.
 */
#pragma once

#include "accounts.bpf.h"
#include "cast.bpf.h"
#include "kernel.bpf.h"
#include "peer_accounts.bpf.h"

/* The hierarchy that identifies containers: -1 the default (v2) one, else the index of a v1 controller from
 * BTF. */
const volatile __s32 subsystem_index = -1;

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct task_state);
} tasks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct cgroup_scope);
} cgroup_scopes SEC(".maps");

/* A watched thread's record, or null; takes no helper call for a thread that has no storage of anybody's. */
static __always_inline struct task_state* find_thread(struct task_struct* task) {
    return task->bpf_storage ? bpf_task_storage_get(&tasks, task, 0, 0) : 0;
}

static __always_inline __u32 word_state(__u64 word) {
    return word & 0xff;
}
static __always_inline __u32 word_slot(__u64 word) {
    return (word >> 8) & 0xffffff;
}
static __always_inline __u32 word_generation(__u64 word) {
    return word >> 32;
}
static __always_inline __u64 make_word(__u32 generation, __u32 slot, __u32 state) {
    return (__u64)generation << 32 | (__u64)slot << 8 | state;
}

static __always_inline __u32 current_generation(void) {
    return *(volatile __u32*)&scope_control.generation;
}

static __always_inline __u64 cgroup_id_of(struct task_struct* task) {
    struct css_set* set = READ_ONLY(struct task_struct, task)->cgroups;
    if (subsystem_index < 0)
        return set->dfl_cgrp->kn->id;
    struct cgroup_subsys_state* state = 0;
    bpf_probe_read_kernel(&state, sizeof(state), (void*)&set->subsys + sizeof(void*) * subsystem_index);
    return BPF_CORE_READ(state, cgroup, kn, id);
}

static __always_inline __u32 slot_of_cgroup(__u64 cgroup_id) {
    struct cgroup_scope* scope = bpf_map_lookup_elem(&cgroup_scopes, &cgroup_id);
    return scope ? scope->slot : SLOT_NONE;
}

static __always_inline __u32 slot_of_task(struct task_struct* task) {
    return slot_of_cgroup(cgroup_id_of(task));
}

/*
 * The same for a thread with a record, without a look-up unless it may have moved since it was last seen. A
 * thread on its way out keeps its slot.
 */
static __always_inline __u32 slot_of_thread(struct task_struct* task, struct task_state* thread) {
    __u64 word = *(volatile __u64*)&thread->word;
    if (__builtin_expect(word_generation(word) == current_generation() || task->flags & PF_EXITING, 1))
        return word_slot(word);
    return slot_of_task(task);
}

/*
 * A group leader carries its process from slot to slot. The end of a process can run at the same moment on
 * another CPU and subtract from the slot it reads; the total stays right, and one slot may be off by one
 * until it drains.
 */
static __always_inline void move_process(enum writer writer, struct task_struct* task,
                                         struct task_state* thread, struct ledger_account* from,
                                         struct ledger_account* to) {
    if (task->pid != task->tgid)
        return;
    if (!from && !thread->process)
        thread->process = PROCESS_COUNTED;
    if (thread->process != PROCESS_COUNTED)
        return;
    if (from)
        add(writer, &from->processes, -1);
    if (to)
        add(writer, &to->processes, 1);
}

/*
 * Moves a thread's account from the slot in `old` to `slot`, splitting the open interval at `now`. `old` has
 * already been replaced by compare-and-swap, so exactly one mover gets here.
 */
static __always_inline void move_account(enum writer writer, struct task_struct* task,
                                         struct task_state* thread, __u64 old, __u32 slot, __u32 state,
                                         __u64 now) {
    if (!*(volatile __u32*)&scope_control.booking)
        return;
    struct ledger_account* from = word_slot(old) ? find_account(writer, word_slot(old)) : 0;
    struct ledger_account* to = slot ? find_account(writer, slot) : 0;
    if (from) {
        begin(writer, from);
        leave(writer, from, word_state(old), now);
        leave(writer, from, CELL_LIFETIME, now);
        end(writer, from);
    }
    if (to) {
        begin(writer, to);
        enter(writer, to, state, now);
        enter(writer, to, CELL_LIFETIME, now);
        end(writer, to);
    }
    move_peer(thread, slot, state, now);
    move_process(writer, task, thread, from, to);
}

/* Where a thread belongs, and since which generation that is known. */
struct place {
    __u32 generation;
    __u32 slot;
};

/* The generation first: what changes after the look-up must make it stale. */
static __always_inline struct place locate(struct task_struct* task) {
    struct place place = {.generation = current_generation()};
    barrier();
    place.slot = slot_of_task(task);
    return place;
}

/*
 * Binds a thread to the slot of `place`; `state` is what it is doing, used only if no slot accounted for it
 * so far. Returns the thread's new word.
 */
static __always_inline __u64 bind(enum writer writer, struct task_struct* task, struct task_state* thread,
                                  struct place place, __u32 state, __u64 now) {
    for (int attempt = 0; attempt < 3; attempt++) {
        __u64 old = *(volatile __u64*)&thread->word;
        if (word_state(old) == STATE_DEAD)
            return old;
        if (word_slot(old))
            state = word_state(old);
        __u64 new = make_word(place.generation, place.slot, state);
        if (__sync_val_compare_and_swap(&thread->word, old, new) != old)
            continue;
        if (word_slot(old) == place.slot)
            return new;
        if (!word_slot(old)) {
            thread->since_ns = now;
            thread->charged_ns = task->se.sum_exec_runtime;
            thread->migrations = task->se.nr_migrations;
        }
        move_account(writer, task, thread, old, place.slot, state, now);
        return new;
    }
    count_failure(FAILURE_word_contended);
    return *(volatile __u64*)&thread->word;
}

/*
 * The thread's word, looked up again if cgroups have changed since. `state` is what the thread is doing, in
 * case nobody accounted for it so far. A thread on its way out keeps its slot: its cgroup may be gone
 * already.
 */
static __noinline __u64 resolve_again(struct task_struct* task, struct task_state* thread, __u32 state,
                                      __u64 now) {
    __u64 word = *(volatile __u64*)&thread->word;
    if (word_state(word) == STATE_DEAD || task->flags & PF_EXITING)
        return word;
    return bind(WRITER_OWN, task, thread, locate(task), state, now);
}

static __always_inline __u64 resolve(struct task_struct* task, struct task_state* thread, __u32 state,
                                     __u64 now) {
    __u64 word = *(volatile __u64*)&thread->word;
    if (__builtin_expect(word_generation(word) == current_generation(), 1))
        return word;
    return resolve_again(task, thread, state, now);
}

/*
 * A thread's slot by its record: a null check for a thread that nobody watches, no look-up of its cgroup for
 * one that somebody does. The other threads of a process that has just been moved are told a moment later.
 */
static __always_inline __u32 slot_by_record(struct task_struct* task) {
    struct task_state* thread = find_thread(task);
    return thread ? slot_of_thread(task, thread) : SLOT_NONE;
}

static __always_inline __u32 slot_of_current(void) {
    return slot_by_record(bpf_get_current_task_btf());
}
