/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types of the block layer; see kernel.bpf.h. */
#pragma once

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct gendisk {
    char disk_name[32];
};

struct block_device {
    struct gendisk* bd_disk;
};

struct blkcg {
    struct cgroup_subsys_state css;
};

struct blkcg_gq {
    struct blkcg* blkcg;
};

struct bvec_iter {
    unsigned int bi_size;
};

struct bio {
    struct block_device* bi_bdev;
    unsigned int bi_opf;
    struct bvec_iter bi_iter;
    struct blkcg_gq* bi_blkg; /* with CONFIG_BLK_CGROUP */
};

struct request_queue {
    void* elevator;
    struct gendisk* disk; /* since 5.16; the request's rq_disk before */
};

struct request {
    struct request_queue* q;
    unsigned int cmd_flags;
    unsigned int __data_len; /* what has not completed yet */
    unsigned short nr_phys_segments;
    struct bio* bio;
    __u64 start_time_ns; /* CLOCK_MONOTONIC; 0 where nobody needs it */
};

struct request___before_5_17 {
    struct gendisk* rq_disk;
};

#pragma clang attribute pop

/* include/linux/blk_types.h: REQ_OP_…; these have not changed since 4.8. */
#define REQ_OP_MASK 0xff
#define OP_READ 0
#define OP_WRITE 1
#define OP_DISCARD 3
#define OP_SECURE_ERASE 5
#define OP_WRITE_ZEROES 9

enum req_op {
    REQ_OP_ZONE_APPEND = 7, /* 13 before 6.6; relocated by name */
};

enum req_flag_bits {
    __REQ_PREFLUSH = 18, /* relocated by name */
};
