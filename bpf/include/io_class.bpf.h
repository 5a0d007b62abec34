/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kind of file a call reads or writes: enum plimsoll_io_class. docs/io.md has the same rules for people.
 */
#pragma once

#include "calls.bpf.h"
#include "kernel_io.bpf.h"
#include "shared/io.h"

/* A terminal's file and what belongs to it point to each other; no other device does that. */
static __always_inline __u32 class_of_device(__u64 file) {
    __u64 private = (__u64)READ(struct file, file, private_data);
    if (!private || (__u64)READ(struct tty_file_private, private, file) != file)
        return IO_CLASS_OTHER;
    return IO_CLASS_TTY;
}

static __always_inline __u32 class_of_socket(__u64 file) {
    __u64 socket = (__u64)READ(struct file, file, private_data);
    __u64 sock = (__u64)READ(struct socket, socket, sk);
    switch (READ(struct sock, sock, __sk_common.skc_family)) {
        case AF_INET:
        case AF_INET6:
            return IO_CLASS_INET;
        case AF_UNIX:
            return IO_CLASS_UNIX;
        case AF_NETLINK:
            return IO_CLASS_NETLINK;
        default:
            return IO_CLASS_OTHER;
    }
}

/* Since 6.16 anonymous inodes (eventfd, timerfd, …) say that they are regular files; before, they say
 * nothing. */
static __always_inline __u32 class_of_regular(__u64 inode) {
    __u64 file_system = (__u64)READ(struct inode, inode, i_sb);
    return READ(struct super_block, file_system, s_magic) == ANON_INODE_FS_MAGIC ? IO_CLASS_OTHER
                                                                                 : IO_CLASS_FILE;
}

static __always_inline __u32 class_of_file(__u64 file) {
    if (!file)
        return IO_CLASS_OTHER; /* no such descriptor */
    __u64 inode = (__u64)READ(struct file, file, f_inode);
    switch (READ(struct inode, inode, i_mode) & S_IFMT) {
        case S_IFREG:
            return class_of_regular(inode);
        case S_IFSOCK:
            return class_of_socket(file);
        case S_IFIFO:
            return IO_CLASS_PIPE;
        case S_IFBLK:
            return IO_CLASS_BLOCK;
        case S_IFCHR:
            return class_of_device(file);
        case S_IFDIR:
            return IO_CLASS_FILE;
        default:
            return IO_CLASS_OTHER;
    }
}
