/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-slot counters of the tcp probe, cumulative, written with atomics from any CPU: a few for each
 * connection. */
#pragma once

#include "types.h"

enum tcp_side { SIDE_CLIENT, SIDE_SERVER, SIDE_COUNT };
enum tcp_failure { TCP_REFUSED, TCP_TIMEOUT, TCP_UNREACHABLE, TCP_RESET, TCP_OTHER, TCP_FAILURE_COUNT };
enum tcp_reset { RESET_SENT, RESET_RECEIVED, RESET_COUNT };
enum tcp_drop { DROP_OVERFLOW, DROP_OTHER, DROP_COUNT };

#define TCP_TIME_BUCKETS 26

struct tcp_times {
    __u64 sum_ns;
    __u64 buckets[TCP_TIME_BUCKETS];
};

struct tcp_account {
    __u64 opened[SIDE_COUNT];
    __u64 closed[SIDE_COUNT];
    __u64 failed[SIDE_COUNT][TCP_FAILURE_COUNT];
    __u64 retransmits;
    __u64 resets[RESET_COUNT];
    __u64 listen_drops[DROP_COUNT];
    struct tcp_times connect;
    struct tcp_times accept;
    struct tcp_times round_trip[SIDE_COUNT];
    struct tcp_times connection[SIDE_COUNT];
};
PLIMSOLL_ASSERT_SIZE(struct tcp_account, 19 * 8 + 6 * 27 * 8);

/* Sockets by state, as one walk over them found them; of another walk when `walk` is another's number. */
#define TCP_STATE_LIMIT 16 /* the kernel has 13; a power of two, so that an index can be masked */
struct tcp_states {
    __u64 walk;
    __u64 sockets[TCP_STATE_LIMIT];
};
PLIMSOLL_ASSERT_SIZE(struct tcp_states, 136);
