/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Slots for cgroups that may turn out to be containers, until the daemon has decided. */
#pragma once

#include "failures.bpf.h"
#include "kernel.bpf.h"

/* Free slots, kept filled by the daemon. */
struct {
    __uint(type, BPF_MAP_TYPE_STACK);
    __uint(max_entries, 1); /* set by the daemon */
    __uint(value_size, sizeof(__u32));
} free_slots SEC(".maps");

/* Which cgroup took a slot from free_slots: what lost events leave behind for the slow resync. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, __u64);
} slot_owners SEC(".maps");

static __always_inline __u32 take_provisional_slot(__u64 cgroup_id) {
    __u32 slot = 0;
    if (bpf_map_pop_elem(&free_slots, &slot)) {
        count_failure(FAILURE_provisional_slots_exhausted);
        return SLOT_OVERFLOW;
    }
    bpf_map_update_elem(&slot_owners, &slot, &cgroup_id, BPF_ANY);
    return slot;
}

/* For one that took it and was too late. */
static __always_inline void return_provisional_slot(__u32 slot) {
    __u64 nobody = 0;
    if (slot == SLOT_OVERFLOW)
        return;
    bpf_map_update_elem(&slot_owners, &slot, &nobody, BPF_ANY);
    bpf_map_push_elem(&free_slots, &slot, 0);
}
