/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system call that a thread is in: its number, its arguments, and the file behind a descriptor. */
#pragma once

#include "cast.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define TS_COMPAT 0x0002
#define IS_COMPAT(task) ((task)->thread_info.status & TS_COMPAT)
#elif defined(__TARGET_ARCH_arm64)
#define TIF_32BIT_BIT (1UL << 22)
#define IS_COMPAT(task) ((task)->thread_info.flags & TIF_32BIT_BIT)
#endif

/* Argument `index` (0 … 5) of the system call. */
static __always_inline __u64 call_argument(struct pt_regs* registers, __u32 index) {
#if defined(__TARGET_ARCH_x86)
    switch (index) {
        case 0:
            return registers->di;
        case 1:
            return registers->si;
        case 2:
            return registers->dx;
        case 3:
            return registers->r10;
        case 4:
            return registers->r8;
        default:
            return registers->r9;
    }
#else
    switch (index) {
        case 0:
            return registers->orig_x0;
        case 1:
            return registers->regs[1];
        case 2:
            return registers->regs[2];
        case 3:
            return registers->regs[3];
        case 4:
            return registers->regs[4];
        default:
            return registers->regs[5];
    }
#endif
}

static __always_inline int call_number(struct pt_regs* registers) {
#if defined(__TARGET_ARCH_x86)
    return registers->orig_ax;
#else
    return registers->syscallno;
#endif
}

/* 0 where there is none. The caller is inside an RCU read section, as every tracing program is. */
static __always_inline __u64 file_in(__u64 files, __u32 descriptor) {
    __u64 table = files ? (__u64)READ(struct files_struct, files, fdt) : 0;
    if (!table || descriptor >= READ(struct fdtable, table, max_fds))
        return 0;
    __u64 element = (__u64)READ(struct fdtable, table, fd) + descriptor * sizeof(struct file*);
    return (__u64)READ(struct kiocb, element, ki_filp);
}

/* The same, where the task has a type: fewer calls of helpers where the kernel cannot cast. */
static __always_inline __u64 find_file(struct task_struct* task, __u32 descriptor) {
    struct files_struct* files = task->files;
    if (!files)
        return 0;
    struct fdtable* table = files->fdt;
    if (descriptor >= table->max_fds)
        return 0;
    struct file** element = &table->fd[descriptor];
    return (__u64)READ(struct kiocb, element, ki_filp);
}
