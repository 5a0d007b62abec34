/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whom a thread waits for: the one socket or FIFO behind a descriptor, or in a set of them. */
#pragma once

#include "calls.bpf.h"
#include "kernel_net.bpf.h"
#include "shared/syscalls.h"

#define PIPE_FS_MAGIC 0x50495045
#define POLLED_MAX 4 /* descriptors of a set that are looked at; more are several */

struct wait_target {
    __u64 sock; /* one of these, or none */
    __u64 fifo; /* its dentry */
    __u32 role; /* of the socket, where it is known */
    bool found; /* one of them */
    bool several;
    bool told_at_the_end; /* an epoll instance knows what became ready */
};

static __always_inline __u64 sock_of_file(__u64 file) {
    __u64 socket = (__u64)READ(struct file, file, private_data);
    return (__u64)READ(struct socket, socket, sk);
}

/* A FIFO that has a name in some file system; 0 for pipes. */
static __always_inline __u64 dentry_of_fifo(__u64 file, __u64 inode) {
    __u64 file_system = (__u64)READ(struct inode, inode, i_sb);
    if (READ(struct super_block, file_system, s_magic) == PIPE_FS_MAGIC)
        return 0;
    return (__u64)READ(struct file, file, f_path.dentry);
}

/* Files of other kinds in a set wake a thread up, but nobody is waited for there. */
static __noinline int consider_file(struct wait_target* target, __u64 file) {
    if (!file)
        return 0;
    __u64 inode = (__u64)READ(struct file, file, f_inode);
    __u16 kind = READ(struct inode, inode, i_mode) & S_IFMT;
    __u64 fifo = kind == S_IFIFO ? dentry_of_fifo(file, inode) : 0;
    if (kind != S_IFSOCK && !fifo)
        return 0;
    target->several |= target->found;
    target->found = true;
    target->fifo = fifo;
    target->sock = fifo ? 0 : sock_of_file(file);
    return 0;
}

static __always_inline void consider_descriptor(struct wait_target* target, __u64 files, __s32 descriptor) {
    if (descriptor >= 0 && !target->several)
        consider_file(target, file_in(files, descriptor));
}

struct polled {
    __s32 descriptor;
    __u32 events;
};

/* poll, ppoll */
VERIFIED_ONCE int consider_array(struct wait_target* target, __u64 files, __u64 array, __u64 count) {
    struct polled polled[POLLED_MAX] = {};
    if (!target || count > POLLED_MAX)
        return 0;
    /* Else the comparison may be made with a copy of it, which tells older verifiers nothing. */
    barrier_var(count);
    if (bpf_probe_read_user(polled, count * sizeof(polled[0]), (void*)array))
        return 0;
    for (__u32 i = 0; i < POLLED_MAX; i++)
        if (i < count)
            consider_descriptor(target, files, polled[i].descriptor);
    return 0;
}

static __always_inline __u64 read_set(__u64 address) {
    __u64 set = 0;
    if (address)
        bpf_probe_read_user(&set, sizeof(set), (void*)address);
    return set;
}

/* The descriptors below 64 that select and pselect6 are given; 0 when there may be others. */
static __always_inline __u64 read_sets(struct pt_regs* registers) {
    __u32 limit = call_argument(registers, 0);
    if (limit < 1 || limit > 64)
        return 0;
    __u64 set = read_set(call_argument(registers, 1)) | read_set(call_argument(registers, 2)) |
                read_set(call_argument(registers, 3));
    return limit < 64 ? set & ((1ULL << limit) - 1) : set;
}

/* The number of a bit: its product with a sequence in which no six bits occur twice begins differently for
 * each. */
#define DE_BRUIJN 0x03f79d71b4cb0a89ULL
static const unsigned char bit_numbers[64] = {0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,
                                              62, 55, 59, 36, 53, 51, 43, 22, 45, 39, 33, 30, 24, 18, 12, 5,
                                              63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21, 44, 32, 23, 11,
                                              46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6};

/* select, pselect6 */
VERIFIED_ONCE int consider_sets(struct wait_target* target, __u64 files, __u64 set) {
    if (!target)
        return 0;
    for (__u32 seen = 0; seen < POLLED_MAX && set; seen++) {
        __u64 lowest = set & -set;
        set ^= lowest;
        __u32 bit = bit_numbers[lowest * DE_BRUIJN >> 58];
        consider_descriptor(target, files, bit);
    }
    target->several |= set != 0;
    return 0;
}

static __always_inline void consider_item(struct wait_target* target, __u64 node) {
    if (node && !target->several)
        consider_file(target,
                      (__u64)READ(struct epitem, node - bpf_core_field_offset(struct epitem, rbn), ffd.file));
}

static __always_inline bool is_leaf(__u64 node) {
    return !node || (!READ(struct rb_node, node, rb_left) && !READ(struct rb_node, node, rb_right));
}

/* Up to three descriptors are the root of the tree and what is right below it. */
VERIFIED_ONCE int consider_epoll(struct wait_target* target, __u64 file) {
    __u64 epoll = file && target ? (__u64)READ(struct file, file, private_data) : 0;
    if (!epoll)
        return 0;
    __u64 root = (__u64)READ(struct eventpoll, epoll, rbr.rb_root.rb_node);
    if (!root)
        return 0;
    __u64 left = (__u64)READ(struct rb_node, root, rb_left),
          right = (__u64)READ(struct rb_node, root, rb_right);
    target->told_at_the_end = true;
    if (!is_leaf(left) || !is_leaf(right)) {
        target->several = true;
        return 0;
    }
    consider_item(target, root);
    consider_item(target, left);
    consider_item(target, right);
    return 0;
}

/* The file that is ready first in the epoll instance that the thread waits on; 0: none is. */
static __always_inline __u64 first_ready(struct task_struct* task) {
    struct pt_regs* registers = (struct pt_regs*)bpf_task_pt_regs(task);
    __u64 file = find_file(task, call_argument(registers, 0));
    __u64 epoll = file ? (__u64)READ(struct file, file, private_data) : 0;
    if (!epoll)
        return 0;
    __u64 first = (__u64)READ(struct eventpoll, epoll, rdllist.next);
    if (!first || first == epoll + bpf_core_field_offset(struct eventpoll, rdllist))
        return 0;
    return (__u64)READ(struct epitem, first - bpf_core_field_offset(struct epitem, rdllink), ffd.file);
}

/* The memory that poll and select are given is the current thread's only. */
static __always_inline void find_polled(struct wait_target* target, struct task_struct* task,
                                        struct pt_regs* registers, __u32 call_class) {
    if (call_class == CALL_EPOLL)
        consider_epoll(target, plain(find_file(task, call_argument(registers, 0))));
    else if (bpf_get_current_task_btf() != task)
        return;
    else if (call_class == CALL_POLL)
        consider_array(target, plain((__u64)task->files), call_argument(registers, 0),
                       call_argument(registers, 1));
    else
        consider_sets(target, plain((__u64)task->files), read_sets(registers));
}
