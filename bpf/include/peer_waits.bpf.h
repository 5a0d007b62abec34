/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose a wait is: known when it begins, or, for one on several descriptors, told by what ended it. */
#pragma once

#include "peers.bpf.h"
#include "wait_target.bpf.h"

VERIFIED_ONCE __u32 find_fifo(__u64 dentry, __u32 slot) {
    struct peer_owner owner = {.owner = tenure_of(slot)};
    name_fifo(&owner.key, dentry);
    __u32* found = bpf_map_lookup_elem(&peers, &owner);
    return found ? *found : add_peer(&owner, dentry);
}

/* A wait begins: for whom. */
static __always_inline void begin_wait(struct task_state* thread, __u32 slot, __u32 cell,
                                       struct wait_target* target, __u64 now) {
    bool waits = waits_for_peer(cell);
    if (!books_peers || (!waits && !target->fifo && !*(volatile __u32*)&thread->peer))
        return;
    bool pipe = cell == STATE_PIPE || cell == CELL_PIPE_WRITE;
    __u32 index = 0;
    if (target->several && waits)
        index = without_peer(slot) | (target->told_at_the_end ? PEER_LATER : 0);
    else if (target->fifo && (waits || pipe))
        index = find_fifo(plain(target->fifo), slot);
    else if (target->sock && waits)
        index = find_peer(plain(target->sock), target->role, slot);
    else if (waits)
        index = without_peer(slot);
    book_peer(thread, index, now);
}

/* Who ended a wait for several in one epoll instance; 0: not to be told. */
static __noinline __u32 find_waker(struct task_struct* task, __u32 slot) {
    struct wait_target target = {};
    consider_file(&target, first_ready(task));
    if (target.fifo)
        return find_fifo(plain(target.fifo), slot);
    return target.sock ? find_peer(plain(target.sock), ROLE_NONE, slot) : 0;
}

/* A wait ends; what it was for may be told later. */
static __noinline int finish_wait(struct task_state* thread, __u64 now) {
    if (!thread)
        return 0;
    __u32 index = __sync_lock_test_and_set(&thread->peer, 0);
    if (index & PEER_LATER)
        thread->untold_ns = thread->since_ns;
    if (index)
        leave_peer(index, now);
    return 0;
}

static __always_inline void end_wait(struct task_state* thread, __u64 now) {
    if (books_peers && *(volatile __u32*)&thread->peer)
        finish_wait(thread, now);
}

/*
 * Whom the thread, which has come to its CPU, had waited for until `ended`: they get what was booked as
 * nobody's, but for what has been published as such already: counters never go back.
 */
static __noinline int tell_waker(struct task_struct* task, struct task_state* thread, __u32 slot,
                                 __u64 ended) {
    __u64 since = thread->untold_ns, published = *(volatile __u64*)&scope_control.published_ns;
    thread->untold_ns = 0;
    since = since > published ? since : published;
    if (ended <= since)
        return 0;
    __u32 waker = find_waker(task, slot);
    struct peer_account *theirs = waker ? peer_account(waker) : 0,
                        *nobodys = peer_account(without_peer(slot));
    if (!theirs || !nobodys)
        return 0;
    __sync_fetch_and_add(&nobodys->sums.sum_ns, since - ended);
    __sync_fetch_and_add(&theirs->sums.sum_ns, ended - since);
    return 0;
}

/* Here, and not at the wake-up: it is on another CPU more often than not, far from what this has to read. */
static __always_inline void tell_wait(struct task_struct* task, struct task_state* thread, __u32 slot,
                                      __u64 ended) {
    if (books_peers && thread->untold_ns)
        tell_waker(task, thread, slot, ended);
}
