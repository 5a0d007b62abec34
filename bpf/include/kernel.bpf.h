/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every kernel type and field that we read, and nothing else; libbpf relocates the accesses to the running
 * kernel (CO-RE), so building needs no BTF. Kernel drift is noted beside the field.
 */
#pragma once

#include "shared/types.h"

#include <stdbool.h>
#define __VMLINUX_H__ /* bpf_tracing.h: these are kernel-side register names */

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

struct bpf_local_storage;

struct kernfs_node {
    __u64 id; /* the directory's inode number (a union on 5.4) */
};

struct cgroup;
struct cgroup_subsys_state {
    struct cgroup* cgroup;
    struct cgroup_subsys_state* parent;
};

struct cgroup_root {
    int hierarchy_id;
};

struct cgroup {
    struct cgroup_subsys_state self; /* self.parent instead of kernfs' parent, which was renamed in 6.15 */
    struct kernfs_node* kn;
    struct cgroup_root* root;
};

enum cgroup_subsys_id {
    cpuset_cgrp_id, /* only so that the enum is complete; values are relocated by name */
    cpu_cgrp_id,
    cpuacct_cgrp_id,
    memory_cgrp_id,
    devices_cgrp_id,
    freezer_cgrp_id,
    pids_cgrp_id,
};

struct css_set {
    struct cgroup_subsys_state* subsys[1]; /* indexed by BTF's enum value, given by the daemon */
    struct cgroup* dfl_cgrp;
};

struct rq {
    __u64 clock; /* the scheduler's time of this CPU, taken at the beginning of each switch and wake-up */
};

struct cfs_rq {
    struct rq* rq; /* with CONFIG_FAIR_GROUP_SCHED, as in every kernel that has cgroups' CPU shares */
};

struct sched_entity {
    struct cfs_rq* cfs_rq; /* the run queue the thread is on or goes to, whatever its policy */
    __u64 sum_exec_runtime;
    __u64 nr_migrations;
    unsigned char sched_delayed; /* since 6.12: asleep, but still on the run queue for a while */
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
};

struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
    struct super_block* i_sb;
};

struct qstr {
    const unsigned char* name;
};

struct dentry {
    struct dentry* d_parent; /* itself at the root of a file system */
    struct qstr d_name;
    struct inode* d_inode;
};

struct path {
    struct dentry* dentry;
};

struct file {
    struct path f_path;
    struct inode* f_inode;
    void* private_data;
};

/* Never a real one here: its first member lets us look at an element of an array of files as at a typed
 * pointer. */
struct kiocb {
    struct file* ki_filp;
};

struct fdtable {
    unsigned int max_fds;
    struct file** fd;
};

struct files_struct {
    struct fdtable* fdt;
};

struct signal_struct {
    atomic_t live; /* threads that have not begun to exit */
    int nr_threads;
    int group_exit_code;
    unsigned int flags;
};

struct thread_info {
    unsigned long flags;
    __u32 status; /* x86 only */
};

struct hlist_node {
    struct hlist_node* next;
};

struct hlist_head {
    struct hlist_node* first;
};

struct pid {
    struct hlist_head tasks[2];
};

struct task_struct {
    struct thread_info thread_info;
    unsigned int __state; /* `state` before 5.14 */
    unsigned int flags;
    int on_cpu;
    int on_rq;
    struct sched_entity se;
    unsigned int in_iowait : 1; /* bit-fields move between versions: BPF_CORE_READ_BITFIELD only */
    unsigned int frozen : 1;
    int exit_state;
    int exit_code;
    int pid;
    int tgid;
    struct task_struct* group_leader;
    struct hlist_node pid_links[2]; /* by the kind of number: a thread's, a process's */
    __u64 start_boottime;
    char comm[16];
    struct files_struct* files;
    struct signal_struct* signal;
    struct css_set* cgroups;
    struct bpf_local_storage* bpf_storage;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long di, si, dx, r10, r8, r9;
    unsigned long orig_ax; /* system call number; -1 when the kernel was entered another way */
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
    __u64 regs[31];
};
struct pt_regs {
    __u64 regs[31];
    __u64 orig_x0; /* argument 0: x0 already holds the result when a call is restarted */
    int syscallno; /* -1 when the kernel was entered another way */
};
#endif

struct seq_file;
struct bpf_iter_meta {
    struct seq_file* seq;
};
struct bpf_iter__task {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
};

#pragma clang attribute pop

/* include/linux/sched.h; unchanged since 4.14 but for TASK_FROZEN (6.1) */
#define TASK_INTERRUPTIBLE 0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_STOPPED_BIT 0x0004
#define TASK_TRACED_BIT 0x0008
#define TASK_DEAD 0x0080
#define TASK_WAKEKILL 0x0100
#define TASK_WAKING 0x0200
#define TASK_FROZEN 0x8000
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define CLONE_THREAD 0x00010000

#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFIFO 0010000
#define ANON_INODE_FS_MAGIC 0x09041934

/* Turns an address into a pointer the verifier lets us read through (6.2 and later; see kernel_can_cast). */
extern void* bpf_rdonly_cast(const void* object, __u32 btf_id) __ksym __weak;

#include "kernel_net.bpf.h"
