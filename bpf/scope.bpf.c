/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Scope: which container a thread belongs to, from its first instruction to its last. Births and deaths of
 * cgroups, births of threads, moves between cgroups, the end of processes; and the iterator that seeds what
 * already runs.
 */
#include "scope.bpf.h"
#include "classify.bpf.h"
#include "events.bpf.h"
#include "peer_waits.bpf.h"
#include "provisional.bpf.h"
#include "socket.bpf.h" /* only for its map, which so exists once for all probes */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __s32 hierarchy_id =
    0; /* of the hierarchy that identifies containers; every other one is ignored */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cgroup_event);
} event_scratch SEC(".maps");

static __always_inline bool is_ours(struct cgroup* cgroup) {
    return READ_ONLY(struct cgroup, cgroup)->root->hierarchy_id == hierarchy_id;
}

static __always_inline __u64 id_of(struct cgroup* cgroup) {
    return READ_ONLY(struct cgroup, cgroup)->kn->id;
}

/* 0 for the root. */
static __always_inline __u64 parent_id_of(struct cgroup* cgroup) {
    struct cgroup_subsys_state* parent = READ_ONLY(struct cgroup, cgroup)->self.parent;
    return parent ? BPF_CORE_READ(parent, cgroup, kn, id) : 0;
}

static __always_inline void send_cgroup_event(void* context, __u32 kind, __u32 slot, struct cgroup* cgroup,
                                              const char* path) {
    __u32 key = 0;
    struct cgroup_event* event = bpf_map_lookup_elem(&event_scratch, &key);
    if (!event)
        return;
    event->header.kind = kind;
    event->header.slot = slot;
    event->header.ts_ns = bpf_ktime_get_boot_ns();
    event->header.cgroup_id = id_of(cgroup);
    event->parent_id = parent_id_of(cgroup);
    event->reserved = 0;
    long size = bpf_probe_read_kernel_str(event->path, EVENT_PATH_MAX, path);
    if (size < 1 || size > EVENT_PATH_MAX)
        size = 1;
    event->path_size = size - 1;
    send_event(context, event, __builtin_offsetof(struct cgroup_event, path) + size);
}

/*
 * A child of a confirmed container belongs to it. Anything else may turn out to be a container and gets a
 * slot of its own at once, also below another newborn: the containers of a new pod must not share the pod's.
 */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_cgroup_mkdir, struct cgroup* cgroup, const char* path) {
    if (!is_ours(cgroup))
        return 0;
    __u64 id = id_of(cgroup), parent_id = parent_id_of(cgroup);
    struct cgroup_scope* inherited = bpf_map_lookup_elem(&cgroup_scopes, &parent_id);
    struct cgroup_scope scope = {};
    if (inherited && inherited->flags & SCOPE_CONFIRMED) {
        scope.slot = inherited->slot;
        scope.flags = SCOPE_CONFIRMED;
    } else {
        scope.slot = take_provisional_slot(id);
        scope.flags = SCOPE_PROVISIONAL;
    }
    if (bpf_map_update_elem(&cgroup_scopes, &id, &scope, BPF_ANY))
        count_failure(FAILURE_cgroup_map_full);
    send_cgroup_event(ctx, EVENT_cgroup_birth, scope.slot, cgroup, path);
    return 0;
}

/* A cgroup can be removed once its last thread has begun to exit; those threads keep the slot they have. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_cgroup_rmdir, struct cgroup* cgroup, const char* path) {
    if (!is_ours(cgroup))
        return 0;
    __u64 id = id_of(cgroup);
    __u32 slot = slot_of_cgroup(id);
    bpf_map_delete_elem(&cgroup_scopes, &id);
    send_cgroup_event(ctx, EVENT_cgroup_death, slot, cgroup, path);
    return 0;
}

/* What the thread is doing now; STATE_UNKNOWN when that cannot be told from outside at this moment. */
static __always_inline __u32 observe(struct task_struct* task, struct task_state* thread,
                                     struct wait_target* target) {
    __u32 task_state = *(volatile __u32*)&task->__state;
    if (task->exit_state || task_state & TASK_DEAD)
        return task->on_cpu ? STATE_UNKNOWN : STATE_DEAD;
    if (task_state == 0)
        return task->on_cpu ? STATE_RUNNING : STATE_RUNNABLE;
    if (task_state & TASK_WAKING)
        return STATE_RUNNABLE;
    if (task->on_cpu)
        return STATE_UNKNOWN; /* about to sleep, or just back */
    if (task->on_rq && !(bpf_core_field_exists(task->se.sched_delayed) && task->se.sched_delayed))
        return STATE_RUNNABLE; /* preempted on its way to sleep */
    return classify(task, thread, task_state, target);
}

/*
 * A thread that was booked before and changed less than this ago is the hooks' own: it can change twice
 * between our look and our correction, and its word would be the same again.
 */
#define SETTLED_NS 1000000

/*
 * Corrects a thread whose state cannot be what the ledger has: it changed between our look and our publishing
 * it, unseen by the hooks; or the v1 freezer froze or thawed it where it sleeps, which no hook sees. Which of
 * two states a thread that has been booked before is in otherwise is the hooks' to say: they have changed its
 * word a moment before what we see changes.
 */
static __always_inline void settle(struct task_struct* task, struct task_state* thread, bool fresh) {
    for (int attempt = 0; attempt < 3 && *(volatile __u32*)&scope_control.booking; attempt++) {
        if (!fresh && (__s64)(ledger_time() - *(volatile __u64*)&thread->since_ns) < SETTLED_NS)
            return;
        __u64 word = *(volatile __u64*)&thread->word;
        __u32 booked = word_state(word), actual = opaque(observe(task, thread, 0));
        if (!word_slot(word) || booked == STATE_DEAD || booked == actual || actual == STATE_UNKNOWN)
            return;
        if (!fresh && (booked <= STATE_RUNNABLE) == (actual <= STATE_RUNNABLE) &&
            (booked == STATE_STOPPED) == (actual == STATE_STOPPED))
            return;
        __u64 new = make_word(word_generation(word), word_slot(word), actual);
        if (__sync_val_compare_and_swap(&thread->word, word, new) != word)
            continue;
        struct ledger_account* account = find_account(WRITER_SHARED, word_slot(word));
        if (!account)
            return;
        __u64 now = ledger_time();
        thread->since_ns = now;
        begin(WRITER_SHARED, account);
        leave(WRITER_SHARED, account, booked, now);
        if (actual == STATE_DEAD)
            leave(WRITER_SHARED, account, CELL_LIFETIME, now);
        else
            enter(WRITER_SHARED, account, actual, now);
        end(WRITER_SHARED, account);
        move_peer(thread, word_slot(word), actual, now);
    }
}

/* Books whom a thread that is seen for the first time waits for; the hooks may be faster. */
static __always_inline void seed_wait(struct task_state* thread, struct wait_target* target) {
    __u64 word = *(volatile __u64*)&thread->word;
    if (!word_slot(word) || !*(volatile __u32*)&scope_control.booking)
        return;
    begin_wait(thread, word_slot(word), word_state(word), target, ledger_time());
    if (*(volatile __u64*)&thread->word != word)
        move_peer(thread, 0, STATE_RUNNING, ledger_time());
}

/*
 * Binds a thread that already lives to the slot of its cgroup; what no container claims gets no storage.
 * Returns whether the thread has a record.
 */
static __always_inline bool adopt(struct task_struct* task) {
    if (task->exit_state)
        return false;
    struct place place = locate(task);
    struct task_state* thread = find_thread(task);
    if (!thread) {
        if (!place.slot)
            return false;
        thread = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (!thread) {
            count_failure(FAILURE_task_storage_full);
            return false;
        }
    }
    bool fresh = !word_slot(*(volatile __u64*)&thread->word);
    struct wait_target target = {};
    __u32 state = opaque(observe(task, thread, &target));
    if (state == STATE_DEAD)
        return false;
    bind(WRITER_SHARED, task, thread, place, state == STATE_UNKNOWN ? STATE_RUNNING : state, ledger_time());
    if (fresh && target.found)
        seed_wait(thread, &target);
    settle(task, thread, fresh);
    return true;
}

static __always_inline int request_visit(void* context, struct task_struct* task) {
    struct event_header moved = {
        .kind = EVENT_moved, .ts_ns = bpf_ktime_get_boot_ns(), .cgroup_id = cgroup_id_of(task)};
    send_event(context, &moved, sizeof(moved));
    return 0;
}

/* From the child's own css_set: io_uring workers and CLONE_INTO_CGROUP are right too. */
SEC("tp_btf/task_newtask")
int BPF_PROG(on_task_newtask, struct task_struct* task) {
    struct place place = locate(task);
    if (!place.slot)
        return 0;
    struct task_state* thread = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!thread) {
        count_failure(FAILURE_task_storage_full);
        return request_visit(ctx, task);
    }
    bind(WRITER_SHARED, task, thread, place, STATE_RUNNABLE, ledger_time());
    return 0;
}

/*
 * Moving a process moves all its threads but names the leader only. The others notice by the generation when
 * they next run or wake; those asleep are visited by the iterator, which the event asks for.
 */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_cgroup_attach_task, struct cgroup* cgroup, const char* path, struct task_struct* task,
             bool threadgroup) {
    if (!is_ours(cgroup))
        return 0;
    bool bound = adopt(task);
    bool alone = !threadgroup || READ_ONLY(struct task_struct, task)->signal->nr_threads < 2;
    if (alone && (bound || !slot_of_task(task)))
        return 0;
    __sync_fetch_and_add(&scope_control.generation, 1);
    return request_visit(ctx, task);
}

/* A thread that execs while it is not the leader becomes it, under the leader's old number. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_sched_process_exec, struct task_struct* task, int old_pid) {
    if (old_pid == task->pid)
        return 0;
    struct task_state* thread = bpf_task_storage_get(&tasks, task, 0, 0);
    if (thread)
        thread->process = PROCESS_COUNTED;
    return 0;
}

/* A process ends with its last thread; two that exit at once both see `live` at 0, so the leader's record
 * decides. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_sched_process_exit, struct task_struct* task) {
    if (READ_ONLY(struct task_struct, task)->signal->live.counter)
        return 0;
    struct task_state* leader = bpf_task_storage_get(&tasks, task->group_leader, 0, 0);
    if (!leader ||
        __sync_val_compare_and_swap(&leader->process, PROCESS_COUNTED, PROCESS_ENDED) != PROCESS_COUNTED)
        return 0;
    struct ledger_account* account = find_account(WRITER_SHARED, word_slot(*(volatile __u64*)&leader->word));
    if (account) {
        begin(WRITER_SHARED, account);
        add(WRITER_SHARED, &account->processes, -1);
        end(WRITER_SHARED, account);
    }
    return 0;
}

SEC("iter/task")
int on_each_task(struct bpf_iter__task* context) {
    struct task_struct* task = context->task;
    if (task)
        adopt(task);
    return 0;
}
