/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes: forks, execs, exits by outcome, lifetimes, OOM kills. Counted in the kernel, so that nothing is
 * lost; the events beside the counters are for those who want to see each one.
 */
#include "events.bpf.h"

#include "scope.bpf.h"
#include "shared/process.h"
#include "shared/time_bucket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SIGNAL_GROUP_EXIT 0x00000004

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct process_account);
} process_accounts SEC(".maps");

/* Victims of the OOM killer that have not exited yet, by process id: older kernels name the victim by id
 * only. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __u32);
    __type(value, __u64);
} oom_victims SEC(".maps");

static __always_inline struct process_account* find_process_account(__u32 slot) {
    if (!slot)
        return 0;
    struct process_account* account = bpf_map_lookup_elem(&process_accounts, &slot);
    if (!account)
        count_failure(FAILURE_account_missing);
    return account;
}

static __always_inline void send_process_event(void* context, __u32 kind, __u32 slot,
                                               struct task_struct* task, __u32 exit_code, __u64 now,
                                               __u64 lifetime) {
    struct process_event event = {
        .header = {.kind = kind, .slot = slot, .ts_ns = now, .cgroup_id = cgroup_id_of(task)},
        .tgid = task->tgid,
        .exit_code = exit_code,
        .lifetime_ns = lifetime,
    };
    bpf_probe_read_kernel(event.comm, sizeof(event.comm), task->comm);
    send_minor_event(context, &event, sizeof(event));
}

SEC("tp_btf/task_newtask")
int BPF_PROG(on_fork, struct task_struct* task, __u64 clone_flags) {
    if (clone_flags & CLONE_THREAD)
        return 0;
    struct process_account* account = find_process_account(slot_of_task(task));
    if (account)
        __sync_fetch_and_add(&account->forks, 1);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* task) {
    __u32 slot = slot_of_task(task);
    struct process_account* account = find_process_account(slot);
    if (!account)
        return 0;
    __sync_fetch_and_add(&account->execs, 1);
    send_process_event(ctx, EVENT_exec, slot, task, 0, bpf_ktime_get_boot_ns(), 0);
    return 0;
}

static __always_inline __u32 outcome_of(__u32 exit_code) {
    __u32 signal = exit_code & 0x7f;
    if (signal)
        return signal < OUTCOME_FAILURE ? signal : OUTCOME_FAILURE;
    return exit_code ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
}

/* Runs for every thread; the process has ended when none is left. Two threads that exit at once both see
 * that. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct* task) {
    struct signal_struct* signal = READ_ONLY(struct task_struct, task)->signal;
    if (signal->live.counter)
        return 0;
    __u32 slot = slot_of_task(task), tgid = task->tgid;
    struct process_account* account = find_process_account(slot);
    if (!account)
        return 0;
    struct task_struct* leader = task->group_leader;
    struct task_state* record = bpf_task_storage_get(&tasks, leader, 0, 0);
    if (record && __sync_val_compare_and_swap(&record->exit_seen, 0, 1))
        return 0;
    __u64 now = bpf_ktime_get_boot_ns(), lifetime = now - leader->start_boottime;
    __u32 code = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
    __sync_fetch_and_add(&account->exits[outcome_of(code)], 1);
    __sync_fetch_and_add(&account->lifetime_sum_ns, lifetime);
    __sync_fetch_and_add(&account->lifetime_buckets[time_bucket(lifetime, LIFETIME_BUCKETS)], 1);
    if (!bpf_map_delete_elem(&oom_victims, &tgid))
        __sync_fetch_and_add(&account->oom_kills, 1);
    send_process_event(ctx, EVENT_exit, slot, task, code, now, lifetime);
    return 0;
}

static __always_inline int remember_victim(void* context, __u32 tgid) {
    __u64 now = bpf_ktime_get_boot_ns();
    bpf_map_update_elem(&oom_victims, &tgid, &now, BPF_ANY);
    struct process_event event = {.header = {.kind = EVENT_oom_kill, .ts_ns = now}, .tgid = tgid};
    send_event(context, &event, sizeof(event));
    return 0;
}

/* The victim's task since 6.8, its id before; the daemon loads the one that fits the kernel's prototype. */
SEC("tp_btf/mark_victim")
int BPF_PROG(on_oom_victim, struct task_struct* task) {
    return remember_victim(ctx, task->tgid);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(on_oom_victim_id, int pid) {
    return remember_victim(ctx, pid);
}
