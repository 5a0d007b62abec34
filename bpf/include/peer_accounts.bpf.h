/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Booking threads that wait in the accounts of shared/peer.h. Each wait for a socket is in exactly one of
 * them, with the ledger's own times, so that the peers of a container add up to what the ledger has.
 */
#pragma once

#include "accounts.bpf.h"
#include "shared/peer.h"

const volatile __u32 books_peers = 0; /* somebody wants to know */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct peer_account);
} peer_accounts SEC(".maps");

static __always_inline struct peer_account* peer_account(__u32 index) {
    return bpf_map_lookup_elem(&peer_accounts, &index);
}

/* The account for what cannot be said to be anybody's. */
static __always_inline __u32 without_peer(__u32 slot) {
    return scope_control.slots + slot;
}

static __always_inline void enter_peer(__u32 index, __u64 n, __u64 sum_ns) {
    struct peer_account* account = peer_account(index);
    if (!account)
        return;
    __sync_fetch_and_add(&account->begun, 1);
    __sync_fetch_and_add(&account->sums.n, n);
    __sync_fetch_and_add(&account->sums.sum_ns, sum_ns);
    __sync_fetch_and_add(&account->ended, 1);
}

static __always_inline void leave_peer(__u32 index, __u64 now) {
    enter_peer(index & ~PEER_LATER, -1, now);
}

static __always_inline void book_peer(struct task_state* thread, __u32 index, __u64 now) {
    __u32 former = __sync_lock_test_and_set(&thread->peer, index);
    if (former)
        leave_peer(former, now);
    if (index)
        enter_peer(index & ~PEER_LATER, 1, -now);
}

/* Whether what is booked there is waiting for somebody. */
static __always_inline bool waits_for_peer(__u32 cell) {
    return cell == STATE_POLL || cell == STATE_SOCKET || cell == STATE_UNIX || cell == CELL_UNIX_WRITE ||
           (cell >= CELL_SOCKET_TCP_CLIENT && cell <= CELL_SOCKET_UDP);
}

/* The thread is in that cell of that slot now, and nothing more is known. */
static __always_inline void move_peer(struct task_state* thread, __u32 slot, __u32 cell, __u64 now) {
    bool waits = slot && waits_for_peer(cell);
    thread->untold_ns = 0;
    if (books_peers && (waits || *(volatile __u32*)&thread->peer))
        book_peer(thread, waits ? without_peer(slot) : 0, now);
}
