/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel types that only the io probe reads; those of everybody are in kernel.bpf.h. */
#pragma once

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct file___mode {
    unsigned int f_mode;
};

/* What the private_data of a terminal's file points to. */
struct tty_file_private {
    struct file* file;
};

#pragma clang attribute pop

#define FMODE_WRITE 0x2

#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFCHR 0020000
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16

/* include/uapi/asm-generic/errno-base.h, include/linux/errno.h */
#define EINTR 4
#define EAGAIN 11
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516
