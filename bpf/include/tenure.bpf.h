/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tenure that a slot is in now; see shared/tenure.h. */
#pragma once

#include "kernel.bpf.h"
#include "shared/tenure.h"

/* By slot; the daemon counts a number up when the slot changes hands. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, __u32);
} tenures SEC(".maps");

static __always_inline struct tenure tenure_of(__u32 slot) {
    __u32* number = bpf_map_lookup_elem(&tenures, &slot);
    return (struct tenure){.slot = slot, .number = number ? *number : 0};
}
