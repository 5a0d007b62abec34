/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-slot counters of the process probe, cumulative, written with atomics (forks and exits are rare enough).
 */
#pragma once

#include "types.h"

#define PROCESS_OUTCOMES 66 /* 0: success, 1 … 64: killed by that signal, 65: failure */
#define OUTCOME_SUCCESS 0
#define OUTCOME_FAILURE 65
#define LIFETIME_BUCKETS 26

struct process_account {
    __u64 forks;
    __u64 execs;
    __u64 oom_kills;
    __u64 lifetime_sum_ns;
    __u64 exits[PROCESS_OUTCOMES];
    __u64 lifetime_buckets[LIFETIME_BUCKETS];
};
PLIMSOLL_ASSERT_SIZE(struct process_account, 768);
