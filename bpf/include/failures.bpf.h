/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every place that can lose something counts it; out of line, since it should never happen on a hot path. */
#pragma once

#include "kernel.bpf.h"
#include "shared/ledger.h"

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, FAILURE_COUNT);
    __type(key, __u32);
    __type(value, __u64);
} failures SEC(".maps");

static __noinline int count_failure(__u32 place) {
    __u32 key = place;
    __u64* count = bpf_map_lookup_elem(&failures, &key);
    if (count)
        __sync_fetch_and_add(count, 1);
    return 0;
}
