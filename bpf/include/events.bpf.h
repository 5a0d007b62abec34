/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event channel, kernel side: a ring buffer or perf event buffers, chosen by the daemon before loading.
 * The reader is woken by watermark, not per record; a timer of the daemon drains the rest.
 */
#pragma once

#include "kernel.bpf.h"
#include "shared/events.h"

#ifndef BPF_F_CURRENT_CPU
#define BPF_F_CURRENT_CPU 0xffffffffULL
#endif

const volatile __u32 events_use_ringbuf = 1;
const volatile __u64 events_watermark = 64 * 1024; /* bytes waiting that wake the reader (ring buffer) */

#define EVENTS_RING_BYTES (1 << 20)

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, EVENTS_RING_BYTES);
} events_ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, sizeof(int));
    __uint(value_size, sizeof(int));
} events_perf SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} events_lost SEC(".maps");

enum urgency {
    EVENT_MINOR, /* counted elsewhere too: of a ring buffer it leaves half to the others */
    EVENT_USUAL,
    EVENT_URGENT, /* the reader is woken for this one (of perf buffers it knows at its next tick) */
};

/* False: lost. */
static __always_inline bool send(void* context, void* event, __u64 size, enum urgency urgency) {
    long failed;
    if (events_use_ringbuf) {
        __u64 waiting = bpf_ringbuf_query(&events_ring, BPF_RB_AVAIL_DATA);
        bool wakes = urgency == EVENT_URGENT || waiting >= events_watermark;
        if (urgency == EVENT_MINOR && waiting >= EVENTS_RING_BYTES / 2)
            failed = 1;
        else
            failed =
                bpf_ringbuf_output(&events_ring, event, size, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
    } else {
        failed = bpf_perf_event_output(context, &events_perf, BPF_F_CURRENT_CPU, event, size);
    }
    if (failed) {
        __u32 key = 0;
        __u64* lost = bpf_map_lookup_elem(&events_lost, &key);
        if (lost)
            __sync_fetch_and_add(lost, 1);
    }
    return !failed;
}

static __always_inline void send_event(void* context, void* event, __u64 size) {
    send(context, event, size, EVENT_USUAL);
}

static __always_inline void send_minor_event(void* context, void* event, __u64 size) {
    send(context, event, size, EVENT_MINOR);
}

static __always_inline bool send_urgent_event(void* context, void* event, __u64 size) {
    return send(context, event, size, EVENT_URGENT);
}
