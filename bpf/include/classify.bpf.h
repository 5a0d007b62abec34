/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a thread that leaves its CPU is waiting for: from its scheduler state, the system call it is in, and
 * the kind of file it waits on. docs/thread-states.md has the same rules for people.
 */
#pragma once

#include "calls.bpf.h"
#include "kernel.bpf.h"
#include "peer_accounts.bpf.h"
#include "peer_key.bpf.h"
#include "shared/ledger.h"
#include "shared/syscalls.h"
#include "wait_target.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_ROW PLIMSOLL_SYSCALL_ROW_X86_64
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL_ROW PLIMSOLL_SYSCALL_ROW_ARM64
#endif

static const struct plimsoll_call call_table[PLIMSOLL_SYSCALL_LIMIT] = {PLIMSOLL_SYSCALLS(SYSCALL_ROW)};

/* Anonymous inodes are told apart by the name of their dentry; a timer's descriptor is a timer. */
static __noinline __u32 classify_anonymous(__u64 file) {
    char name[8] = {};
    struct dentry* dentry = BPF_CORE_READ((struct file*)file, f_path.dentry);
    bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
    return __builtin_memcmp(name, "[timerf", 7) == 0 ? STATE_SLEEP : STATE_OTHER;
}

/* Which kind of waiting for the network it is. */
static __always_inline __u32 classify_socket(__u64 sock, __u16 family) {
    if (family != AF_INET && family != AF_INET6)
        return STATE_SOCKET;
    switch (READ(struct sock, sock, sk_protocol)) {
        case IPPROTO_UDP:
            return CELL_SOCKET_UDP;
        case IPPROTO_TCP:
        case IPPROTO_MPTCP:
            return is_server(sock) ? CELL_SOCKET_TCP_SERVER : CELL_SOCKET_TCP_CLIENT;
        default:
            return STATE_SOCKET;
    }
}

static __always_inline __u32 classify_file(struct task_struct* task, __u32 descriptor, bool writes,
                                           struct wait_target* target) {
    __u64 file = find_file(task, descriptor);
    if (!file)
        return STATE_OTHER; /* closed by another thread meanwhile */
    __u64 inode = (__u64)READ(struct file, file, f_inode);
    __u16 kind = READ(struct inode, inode, i_mode) & S_IFMT;
    if (kind == S_IFIFO) {
        if (books_peers && target) {
            target->fifo = dentry_of_fifo(file, inode);
            target->found = target->fifo != 0;
        }
        return writes ? CELL_PIPE_WRITE : STATE_PIPE;
    }
    if (kind == S_IFSOCK) {
        __u64 sock = sock_of_file(file);
        __u16 family = READ(struct sock, sock, __sk_common.skc_family);
        if (target) {
            target->sock = sock;
            target->found = true;
        }
        if (family == AF_UNIX)
            return writes ? CELL_UNIX_WRITE : STATE_UNIX;
        __u32 cell = classify_socket(sock, family);
        if (target && (cell == CELL_SOCKET_TCP_CLIENT || cell == CELL_SOCKET_TCP_SERVER))
            target->role = cell == CELL_SOCKET_TCP_SERVER ? ROLE_SERVER : ROLE_CLIENT;
        return cell;
    }
    /* 0 before 6.16, a regular file since */
    if ((kind == 0 || kind == S_IFREG) &&
        BPF_CORE_READ((struct inode*)inode, i_sb, s_magic) == ANON_INODE_FS_MAGIC)
        return classify_anonymous(file);
    return STATE_OTHER;
}

static __always_inline __u32 classify_call(struct task_struct* task, struct task_state* thread,
                                           struct pt_regs* registers, struct plimsoll_call call,
                                           __u32 task_state, struct wait_target* target) {
    switch (call.call_class) {
        case CALL_FD:
            return classify_file(task, call_argument(registers, 0), call.writes, target);
        case CALL_FUTEX:
            return STATE_FUTEX;
        case CALL_POLL:
        case CALL_SELECT:
        case CALL_EPOLL:
            if (books_peers && target)
                find_polled(target, task, registers, call.call_class);
            return STATE_POLL;
        case CALL_SLEEP:
            return STATE_SLEEP;
        case CALL_CHILD:
            return STATE_CHILD;
        case CALL_DISK:
            return STATE_DISK;
        case CALL_FORK: /* vfork waits killably; anything else in a fork is the kernel's own business */
            return task_state & TASK_WAKEKILL ? STATE_CHILD : STATE_BLOCKED;
        case CALL_RESTART:
            return thread->wait_state ? thread->wait_state : STATE_OTHER;
        default:
            return STATE_OTHER;
    }
}

/*
 * A thread on its way out still has the registers of the call it was ended in. It waits for storage, for a
 * lock of the kernel, or, as the first process of a PID namespace, for all others of it to end.
 */
static __always_inline __u32 classify_exit(struct task_struct* task, __u32 task_state) {
    if (BPF_CORE_READ_BITFIELD(task, in_iowait))
        return STATE_DISK;
    return task_state & TASK_INTERRUPTIBLE ? STATE_CHILD : STATE_BLOCKED;
}

/*
 * The state of a thread that is not runnable any more. `task_state` is its scheduler state (`prev_state` at a
 * switch). Remembers the class of a wait, because an interrupted one goes on as restart_syscall. `target`:
 * all 0.
 */
static __always_inline __u32 classify(struct task_struct* task, struct task_state* thread, __u32 task_state,
                                      struct wait_target* target) {
    if (task_state & (TASK_STOPPED_BIT | TASK_TRACED_BIT | TASK_FROZEN))
        return STATE_STOPPED;
    /* The v2 freezer: an interruptible sleep on the way to user space. A vfork says that it is frozen, too.
     */
    if (task_state & TASK_INTERRUPTIBLE && BPF_CORE_READ_BITFIELD(task, frozen))
        return STATE_STOPPED;
    if (task->flags & PF_IO_WORKER)
        return STATE_IO_URING;
    if (task->flags & PF_EXITING)
        return classify_exit(task, task_state);
    struct pt_regs* registers = (struct pt_regs*)bpf_task_pt_regs(task);
    int number = call_number(registers);
    if (number < 0)
        return STATE_FAULT;
    struct plimsoll_call call = {};
    if (number < PLIMSOLL_SYSCALL_LIMIT && !IS_COMPAT(task))
        call = call_table[number & (PLIMSOLL_SYSCALL_LIMIT - 1)];
    __u32 state;
    if (call.call_class == CALL_IO_URING)
        state = STATE_IO_URING; /* before in_iowait: an idle ring sets that */
    else if (BPF_CORE_READ_BITFIELD(task, in_iowait))
        state = STATE_DISK;
    else
        state = classify_call(task, thread, registers, call, task_state, target);
    if (state == STATE_OTHER && task_state & TASK_UNINTERRUPTIBLE)
        state = STATE_BLOCKED;
    thread->wait_state = state;
    return state;
}
