/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The accounts of shared/io.h. A slot has a copy for each CPU, so that containers that do much on many CPUs
 * do not fight for cache lines; on large machines some CPUs share one, since a copy with times is 4 KiB.
 */
#pragma once

#include "accounts.bpf.h"
#include "kernel_io.bpf.h"
#include "shared/io.h"
#include "shared/time_bucket.h"

const volatile __u32 io_latency = 1;      /* times are kept */
const volatile __u32 io_account_mask = 0; /* copies of a slot's account, a power of two, minus one */
const volatile __u32 io_copies_shared =
    0; /* programs can interrupt each other while they write to one copy */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct io_account);
} io_accounts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon; stays 1 without latencies */
    __type(key, __u32);
    __type(value, struct io_times);
} io_times SEC(".maps");

/*
 * A call that failed, and not one that found nothing to do or was interrupted before it did anything: those
 * are how servers with non-blocking sockets go about their work. An interrupted call that is restarted ends
 * once more.
 */
static __always_inline bool is_error(__s64 result) {
    switch (-result) {
        case EAGAIN:
        case EINTR:
        case ERESTARTSYS:
        case ERESTARTNOINTR:
        case ERESTARTNOHAND:
        case ERESTART_RESTARTBLOCK:
            return false;
        default:
            return result < 0;
    }
}

/* What became of one end of a call. */
struct io_outcome {
    __s64 result; /* bytes, or an error */
    __u64 ns;     /* 0: not known */
};

static __always_inline void book_time(enum writer writer, __u32 key, __u32 cell, __u64 ns) {
    struct io_times* times = bpf_map_lookup_elem(&io_times, &key);
    if (!times)
        return;
    struct io_time* time = &times->cells[cell & (IO_CELLS - 1)];
    add(writer, &time->sum_ns, ns);
    add(writer, &time->buckets[time_bucket(ns, IO_TIME_BUCKETS)], 1);
}

static __always_inline void book(__u32 slot, __u32 cell, struct io_outcome outcome) {
    enum writer writer = io_copies_shared ? WRITER_SHARED : WRITER_OWN;
    __u32 key = slot * (io_account_mask + 1) + (bpf_get_smp_processor_id() & io_account_mask);
    struct io_account* account = bpf_map_lookup_elem(&io_accounts, &key);
    if (!account) {
        count_failure(FAILURE_account_missing);
        return;
    }
    struct io_counts* counts = &account->cells[cell & (IO_CELLS - 1)];
    if (outcome.result < 0) {
        if (is_error(outcome.result))
            add(writer, &counts->errors, 1);
        return;
    }
    add(writer, &counts->bytes, outcome.result);
    add(writer, &counts->operations, 1);
    if (io_latency && outcome.ns)
        book_time(writer, key, cell, outcome.ns);
}
