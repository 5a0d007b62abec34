/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What containers in the host's network namespace received and sent, by interface: cumulative, written with
 * atomics.
 */
#pragma once

#include "tenure.h"

enum plimsoll_traffic_direction { TRAFFIC_RECEIVE, TRAFFIC_TRANSMIT, TRAFFIC_DIRECTIONS };

#define TRAFFIC_INTERFACE_NAME 16 /* IFNAMSIZ */

/* By name, as everybody else counts: an interface that is made anew goes on where the one before ended. */
struct traffic_series {
    char interface[TRAFFIC_INTERFACE_NAME]; /* ends at the first 0 */
    __u32 direction;
    __u32 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct traffic_series, 24);

struct traffic_key {
    struct tenure owner;
    struct traffic_series series;
};
PLIMSOLL_ASSERT_SIZE(struct traffic_key, 32);

struct traffic_account {
    __u64 bytes;   /* of IP packets: without the link's header */
    __u64 packets; /* as on the wire: the segments of those that the kernel handles as one */
};
PLIMSOLL_ASSERT_SIZE(struct traffic_account, 16);
