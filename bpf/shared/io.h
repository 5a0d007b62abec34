/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The io probe's records: bytes, operations, errors and times of calls by kind of file and direction. All
 * values are cumulative; readers never reset them.
 */
#pragma once

#include "types.h"

/* The order is the order of the series on /metrics. */
enum plimsoll_io_class {
    IO_CLASS_FILE,
    IO_CLASS_BLOCK,
    IO_CLASS_INET,
    IO_CLASS_UNIX,
    IO_CLASS_NETLINK,
    IO_CLASS_PIPE,
    IO_CLASS_TTY,
    IO_CLASS_OTHER,
    IO_CLASSES
};
enum plimsoll_io_direction { IO_DIRECTION_READ, IO_DIRECTION_WRITE, IO_DIRECTIONS };

/* One cell for each class and direction. */
#define IO_CELL(io_class, direction) ((io_class) * 2 + (direction))
enum { IO_CELLS = 16, IO_NO_CELL = IO_CELLS };

struct io_counts {
    __u64 bytes;
    __u64 operations; /* calls that succeeded, also with 0 bytes */
    __u64 errors;
};

/* One slot's account on one CPU, or on several of them: see io_account_mask. */
struct io_account {
    struct io_counts cells[IO_CELLS];
};
PLIMSOLL_ASSERT_SIZE(struct io_account, 384);

#define IO_TIME_BUCKETS 26 /* 2^0 … 2^24 µs, and above */
struct io_time {
    __u64 sum_ns;
    __u64 buckets[IO_TIME_BUCKETS]; /* not cumulative */
};

/* Beside each io_account, unless latencies are switched off. */
struct io_times {
    struct io_time cells[IO_CELLS];
};
PLIMSOLL_ASSERT_SIZE(struct io_times, 3456);

/* How many copies of a slot's account there are at most; a power of two. */
enum { IO_MAX_COPIES = 16 };
