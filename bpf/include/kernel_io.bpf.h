/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel types that only the io probe reads; those of everybody are in kernel.bpf.h. */
#pragma once

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct file___mode {
    unsigned int f_mode;
};

struct io_cqe {
    __u64 user_data;
    int fd; /* until there is a result */
};

/* A request of io_uring; its first bytes are the operation's own (struct io_splice, …). */
struct io_kiocb {
    struct file* file; /* since 5.19 not before the request is begun */
    unsigned char opcode;
    __u64 flags; /* 32 bits before 6.10 */
    struct io_cqe cqe;
    struct io_ring_ctx* ctx;
};

struct io_splice {
    int splice_fd_in;
    unsigned int flags;
};

struct io_sr_msg {
    unsigned short flags;
};

struct io_ring_ctx;

/* What user space is given, uapi. */
struct io_uring_cqe {
    __u64 user_data;
    __s32 res;
};

/* What the private_data of a terminal's file points to. */
struct tty_file_private {
    struct file* file;
};

#pragma clang attribute pop

#define FMODE_WRITE 0x2

/* Flags of a request that mirror those of its submission (uapi). */
#define REQ_F_FIXED_FILE (1U << 0)
#define REQ_F_CQE_SKIP (1U << 6)
#define SPLICE_F_FD_IN_FIXED (1U << 31)
#define IORING_RECV_MULTISHOT (1U << 1)

#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFCHR 0020000
#define AF_NETLINK 16

/* include/uapi/asm-generic/errno-base.h, include/linux/errno.h */
#define EINTR 4
#define EAGAIN 11
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
