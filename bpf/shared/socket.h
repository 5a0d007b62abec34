/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of the probes on sockets. All counters are cumulative. */
#pragma once

#include "types.h"

/* The order is the order of the labels' values in the daemon. */
enum plimsoll_protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UNIX, PROTOCOL_OTHER, PROTOCOL_COUNT };
enum plimsoll_role { ROLE_NONE, ROLE_CLIENT, ROLE_SERVER, ROLE_COUNT };
enum plimsoll_direction { DIRECTION_READ, DIRECTION_WRITE, DIRECTION_COUNT };

struct socket_cell {
    __u64 bytes;
    __u64 operations;
};

/* One slot's account on one CPU, written by that CPU only. */
struct socket_account {
    struct socket_cell cells[PROTOCOL_COUNT][ROLE_COUNT][DIRECTION_COUNT];
};
PLIMSOLL_ASSERT_SIZE(struct socket_account, 384);

/* What is remembered of a socket, as long as it lives. An accepted one begins with a copy of its
 * listener's. */
struct socket_record {
    __u64 owner_id; /* where a v1 hierarchy identifies containers: the cgroup that connected or listened */
    __u64 since_ns; /* CLOCK_BOOTTIME of the connection's first step, then of its completion; 0: unknown */
    __u32 role;
    __u32 open;  /* the connection was completed and has not been counted as closed */
    __u32 drops; /* of a listening socket: what has been counted */
    __u32 peer;  /* the account of its other end (shared/peer.h), as long as that has this generation */
    __u32 peer_generation;
    __u32 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct socket_record, 40);
