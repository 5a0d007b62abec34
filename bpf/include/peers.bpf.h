/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The account of a peer: found by its key, or made. */
#pragma once

#include "failures.bpf.h"
#include "peer_accounts.bpf.h"
#include "peer_key.bpf.h"
#include "tenure.bpf.h"

/* All of these are as large as the daemon says; the entries exist from the start, since some are taken under
 * the scheduler's locks. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct peer_owner);
    __type(value, __u32);
} peers SEC(".maps");

/* The first is of the first account that is a peer's. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct peer_name);
} peer_names SEC(".maps");

/* Accounts that were given back. */
struct {
    __uint(type, BPF_MAP_TYPE_STACK);
    __uint(max_entries, 1);
    __uint(value_size, sizeof(__u32));
} free_peers SEC(".maps");

/* 0: none is left. */
static __always_inline __u32 take_peer_account(void) {
    __u32 index = 0;
    if (!bpf_map_pop_elem(&free_peers, &index))
        return index;
    if (*(volatile __u32*)&scope_control.peers_made >= PEERS_MAX)
        return 0;
    __u32 made = __sync_fetch_and_add(&scope_control.peers_made, 1);
    return made < PEERS_MAX ? 2 * scope_control.slots + made : 0;
}

/* The slot's rest when it has as many as it may have, or there is no account left. */
static __noinline __u32 add_peer(struct peer_owner* owner, __u64 named) {
    __u32 slot = owner->owner.slot;
    struct peer_account* rest = peer_account(slot);
    if (!rest || *(volatile __u32*)&rest->generation >= PEERS_PER_SLOT)
        return slot;
    __u32 index = take_peer_account();
    struct peer_account* account = index ? peer_account(index) : 0;
    __u32 place = index - 2 * scope_control.slots;
    struct peer_name* name = bpf_map_lookup_elem(&peer_names, &place);
    if (!account || !name) {
        count_failure(FAILURE_peers_full);
        return slot;
    }
    account->slot = slot;
    write_name(name, &owner->key, named);
    if (bpf_map_update_elem(&peers, owner, &index, BPF_NOEXIST)) { /* somebody else was faster */
        bpf_map_push_elem(&free_peers, &index, 0);
        __u32* found = bpf_map_lookup_elem(&peers, owner);
        return found ? *found : slot;
    }
    __sync_fetch_and_add(&rest->generation, 1);
    return index;
}

/* The account of the socket's other end, as the slot sees it. */
VERIFIED_ONCE __u32 find_peer(__u64 sock, __u32 role, __u32 slot) {
    struct peer_owner owner = {.owner = tenure_of(slot)};
    __u64 named = 0;
    if (!name_socket(&owner.key, &named, sock, role))
        return without_peer(slot);
    __u32* found = bpf_map_lookup_elem(&peers, &owner);
    return found ? *found : add_peer(&owner, named);
}
