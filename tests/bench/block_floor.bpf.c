/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probe block's cost is measured against: programs on the same hooks that do nothing, or take a
 * timestamp. */
#include "kernel.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 last_ns[8];

#define FLOOR(hook, number)                                           \
    SEC("tp_btf/" #hook)                                              \
    int BPF_PROG(hook##_empty) {                                      \
        return 0;                                                     \
    }                                                                 \
    SEC("tp_btf/" #hook)                                              \
    int BPF_PROG(hook##_timestamp) {                                  \
        *(volatile __u64*)&last_ns[number] = bpf_ktime_get_boot_ns(); \
        return 0;                                                     \
    }

FLOOR(block_io_start, 0)
FLOOR(block_rq_insert, 1)
FLOOR(block_rq_issue, 2)
FLOOR(block_rq_requeue, 3)
FLOOR(block_rq_complete, 4)
FLOOR(block_bio_backmerge, 5)
FLOOR(block_bio_frontmerge, 6)
FLOOR(block_rq_merge, 7)
