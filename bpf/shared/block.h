/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What reached the block devices, by container, disk and direction: cumulative, written with atomics. And the
 * requests that are on their way, whose table the daemon reads for the gauge.
 */
#pragma once

#include "tenure.h"

enum plimsoll_block_direction {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_DISCARD,
    BLOCK_FLUSH,
    BLOCK_DIRECTIONS, /* as a direction: none of these, a request that is not counted */
};

#define BLOCK_DISK_NAME 32 /* DISK_NAME_LEN */
#define BLOCK_BUCKETS 26   /* 2^0 … 2^24 µs, and above */

/*
 * The whole disk by what its name hashes to; block_disks has the name ("sda"). A number would be reused, and
 * come to mean another disk; a name in the key would be most of a look-up's cost.
 */
struct block_series {
    __u64 disk;
    __u32 direction;
    __u32 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct block_series, 16);

struct block_disk {
    char name[BLOCK_DISK_NAME];
};
PLIMSOLL_ASSERT_SIZE(struct block_disk, 32);

struct block_key {
    struct tenure owner;
    struct block_series series;
};
PLIMSOLL_ASSERT_SIZE(struct block_key, 24);

/*
 * Every completed request is in device_buckets once, so that they add up to the number of operations.
 * Requests that went to the device without waiting are not in queue_buckets: the reader adds them to the
 * first.
 */
struct block_account {
    __u64 bytes;
    __u64 errors;
    __u64 merges;
    __u64 queue_sum_ns;
    __u64 device_sum_ns;
    __u64 queue_buckets[BLOCK_BUCKETS];
    __u64 device_buckets[BLOCK_BUCKETS];
};
PLIMSOLL_ASSERT_SIZE(struct block_account, 456);

/*
 * Requests under way: a table of sets, each of which is one cache line. What is known of a
 * request is in another array, at the same place.
 */
#define BLOCK_WAYS 8
#define BLOCK_SET_BITS 11
#define BLOCK_SETS (1 << BLOCK_SET_BITS)
#define BLOCK_REQUESTS (BLOCK_SETS * BLOCK_WAYS)

struct block_set {
    __u64 requests[BLOCK_WAYS]; /* 0: free */
};
PLIMSOLL_ASSERT_SIZE(struct block_set, 64);

struct block_request {
    struct block_key key;
    __u64 queued_ns; /* since when it waits to be issued; 0: it does not */
    __u64 waited_ns; /* how long it did before */
    __u64 issued_ns; /* when the device got it; 0: it has not */
};
PLIMSOLL_ASSERT_SIZE(struct block_request, 48);
