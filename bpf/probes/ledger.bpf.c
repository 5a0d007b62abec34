/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The thread ledger: at every context switch and wake-up of a watched thread, one time closes one state and
 * opens the next. This is the hottest code of the project: tests/bench measures it, docs/overhead.md has the
 * figures.
 */
#include "classify.bpf.h"
#include "peer_waits.bpf.h"
#include "scope.bpf.h"
#include "shared/time_bucket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 wait_shards = 1; /* a power of two */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct wait_account);
} wait_accounts SEC(".maps");

/* The histogram of the cell's waits; WAIT_COUNT: it has none. */
static __always_inline __u32 timed_wait(__u32 cell) {
    switch (cell) {
        case STATE_DISK:
            return WAIT_DISK;
        case STATE_FUTEX:
            return WAIT_FUTEX;
        case STATE_PIPE:
        case CELL_PIPE_WRITE:
            return WAIT_PIPE;
        case STATE_UNIX:
        case CELL_UNIX_WRITE:
            return WAIT_UNIX;
        case STATE_SOCKET:
        case CELL_SOCKET_TCP_CLIENT:
        case CELL_SOCKET_TCP_SERVER:
        case CELL_SOCKET_UDP:
            return WAIT_SOCKET;
        case STATE_POLL:
            return WAIT_POLL;
        default:
            return WAIT_COUNT;
    }
}

/* A wait is over. */
static __noinline int time_wait(__u32 slot, __u32 cell, __u64 waited) {
    __u32 wait = timed_wait(cell);
    if (wait >= WAIT_COUNT)
        return 0;
    __u32 key = slot * wait_shards + (bpf_get_smp_processor_id() & (wait_shards - 1));
    struct wait_account* account = bpf_map_lookup_elem(&wait_accounts, &key);
    if (!account)
        return 0;
    waited = (__s64)waited > 0 ? waited : 0; /* a wait that began in process context has the other clock */
    __sync_fetch_and_add(&account->sum_ns[wait], waited);
    __sync_fetch_and_add(&account->buckets[wait][long_time_bucket(waited, LATENCY_BUCKETS)], 1);
    return 0;
}

static __noinline __u64 change_contended_state(struct task_state* thread, __u64 word, __u32 state) {
    for (int attempt = 0; attempt < 3; attempt++) {
        __u64 seen = __sync_val_compare_and_swap(&thread->word, word, (word & ~0xffULL) | state);
        if (seen == word)
            return word;
        word = seen;
    }
    count_failure(FAILURE_word_contended);
    return 0;
}

/*
 * Replaces the state in the thread's word and returns the word before. The scheduler orders the hooks of one
 * thread; only a mover can come in between, and then the swap is tried again with what it left.
 */
static __always_inline __u64 change_state(struct task_state* thread, __u64 word, __u32 state) {
    __u64 seen = __sync_val_compare_and_swap(&thread->word, word, (word & ~0xffULL) | state);
    return __builtin_expect(seen == word, 1) ? word : change_contended_state(thread, seen, state);
}

/*
 * An account that is being written. Two threads of one container that change places are one piece of writing,
 * and its cell `running` stays as it is: `running` counts what the switch adds to it.
 */
struct open_account {
    struct ledger_account* account;
    __u32 slot;
    __s32 running;
};

static __always_inline void shut(struct open_account* open, __u64 now) {
    if (!open->account)
        return;
    if (open->running < 0)
        leave(WRITER_OWN, open->account, STATE_RUNNING, now);
    else if (open->running > 0)
        enter(WRITER_OWN, open->account, STATE_RUNNING, now);
    end(WRITER_OWN, open->account);
}

static __always_inline struct ledger_account* open(struct open_account* open, __u32 slot, __u64 now) {
    if (open->account && open->slot == slot)
        return open->account;
    shut(open, now);
    open->slot = slot;
    open->running = 0;
    open->account = slot ? find_account(WRITER_OWN, slot) : 0;
    if (open->account)
        begin(WRITER_OWN, open->account);
    return open->account;
}

/*
 * Called at a switch, where `clock` is a little older than now: what is compared is never too high, and too
 * low by whatever happened in between. So the highest sample counts, and gives way as fast as the two can
 * drift apart (0.1 %); but when the machine was suspended, CLOCK_BOOTTIME went on alone, and the new sample
 * counts at once.
 */
static __noinline int compare_clocks(__u64 clock) {
    __u64 boot = bpf_ktime_get_boot_ns();
    __s64 sample = clock - boot, offset = scope_control.clock_offset_ns;
    __u64 elapsed = boot - scope_control.compared_ns;
    bool first = !scope_control.compared_ns, suspended = offset - sample > 1000000000;
    if (!first && !suspended) {
        offset -= elapsed >> 10;
        if (sample < offset)
            sample = offset;
    }
    *(volatile __s64*)&scope_control.clock_offset_ns = sample;
    *(volatile __u64*)&scope_control.compared_ns = boot;
    return 0;
}

/* The time from a wake-up to a CPU. */
static __always_inline void count_latency(struct ledger_account* account, __u64 waited) {
    add(WRITER_OWN, &account->latency_sum_ns, waited);
    add(WRITER_OWN, &account->latency_buckets[time_bucket(waited, LATENCY_BUCKETS)], 1);
}

/*
 * The hook did not see this thread come to the CPU: some sandboxes run no program in the context of their own
 * init, so what follows it on a CPU arrives unseen. The kernel's charge since it last left says when that
 * was. A wait that nobody saw end was over by then.
 */
static __noinline __u64 make_up_arrival(struct ledger_account* account, struct task_struct* task,
                                        struct task_state* thread, __u64 word, __u64 now) {
    if (!account || !task || !thread)
        return now;
    __u64 ran = task->se.sum_exec_runtime - thread->charged_ns, waited = now - thread->since_ns;
    waited = waited > ran ? waited - ran : 0;
    __u64 arrived = thread->since_ns + waited;
    leave(WRITER_OWN, account, word_state(word), arrived);
    enter(WRITER_OWN, account, STATE_RUNNING, arrived);
    leave(WRITER_OWN, account, STATE_RUNNING, now);
    if (word_state(word) == STATE_RUNNABLE) {
        count_latency(account, waited);
    } else {
        add(WRITER_OWN, &account->wakeups, 1); /* nobody runs again who was not woken */
        end_wait(thread, arrived);
        time_wait(word_slot(word), word_state(word), waited);
    }
    thread->untold_ns = 0; /* what is ready now says nothing about then */
    count_failure(FAILURE_switch_in_unseen);
    return arrived;
}

static __always_inline void switch_out(struct task_struct* task, struct task_state* thread, bool preempted,
                                       __u32 task_state, __u64 now, struct open_account* target) {
    __u64 word = resolve(task, thread, STATE_RUNNING, now);
    if (!word_slot(word) || word_state(word) == STATE_DEAD)
        return;
    __u32 state = STATE_RUNNABLE;
    struct wait_target waited_for = {};
    if (task_state & TASK_DEAD)
        state = STATE_DEAD;
    else if (!preempted && task_state &&
             *(volatile __u32*)&task->__state) /* 0 on 6.1: a signal came in between */
        state = classify(task, thread, task_state, &waited_for);
    state = opaque(state);
    word = change_state(thread, word, state);
    __u64 charged = task->se.sum_exec_runtime, migrations = task->se.nr_migrations;
    struct ledger_account* account = open(target, word_slot(word), now);
    if (!account)
        return;
    __u64 arrived = thread->since_ns;
    if (__builtin_expect(word_state(word) == STATE_RUNNING, 1))
        target->running--;
    else
        arrived = make_up_arrival(account, task, thread, word, now);
    if (state == STATE_DEAD)
        leave(WRITER_OWN, account, CELL_LIFETIME, now);
    else
        enter(WRITER_OWN, account, state, now);
    begin_wait(thread, word_slot(word), state, &waited_for, now);
    add(WRITER_OWN, &account->stolen_ns, now - arrived - (charged - thread->charged_ns));
    if (migrations != thread->migrations)
        add(WRITER_OWN, &account->migrations, migrations - thread->migrations);
    add(WRITER_OWN, state == STATE_RUNNABLE ? &account->involuntary_switches : &account->voluntary_switches,
        1);
    thread->since_ns = now;
    thread->charged_ns = charged;
    thread->migrations = migrations;
}

static __always_inline void switch_in(struct task_struct* task, struct task_state* thread, __u64 now,
                                      struct open_account* target) {
    if (thread->compares)
        compare_clocks(now);
    __u64 word = resolve(task, thread, STATE_RUNNABLE, now);
    if (!word_slot(word) || word_state(word) == STATE_DEAD)
        return;
    word = change_state(thread, word, STATE_RUNNING);
    struct ledger_account* account = open(target, word_slot(word), now);
    if (!account)
        return;
    leave(WRITER_OWN, account, word_state(word), now);
    target->running++;
    if (word_state(word) != STATE_RUNNABLE) {
        end_wait(thread, now);
        time_wait(target->slot, word_state(word), now - thread->since_ns);
        tell_wait(task, thread, target->slot, now);
    } else {
        tell_wait(task, thread, target->slot, thread->since_ns);
        /* A newborn's beginning was taken from the other clock and can lie a little after its first switch.
         */
        count_latency(account, (__s64)(now - thread->since_ns) > 0 ? now - thread->since_ns : 0);
    }
    thread->since_ns = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, bool preempt, struct task_struct* prev, struct task_struct* next,
             unsigned int prev_state) {
    struct task_state *out = find_thread(prev), *in = find_thread(next);
    struct open_account target = {};
    __u64 now = 0; /* not looked up before it is known that one of the two is watched; one for both */
    if (out) {
        now = run_queue_clock(prev);
        switch_out(prev, out, preempt, prev_state, now, &target);
    }
    if (in) {
        now = now ? now : run_queue_clock(next);
        switch_in(next, in, now, &target);
    }
    shut(&target, now);
    return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_sched_wakeup, struct task_struct* task) {
    struct task_state* thread = find_thread(task);
    if (!thread)
        return 0;
    /* A thread that is woken before it slept runs this itself, maybe with interrupts on: nothing to do,
     * nothing to touch. */
    __u64 word = *(volatile __u64*)&thread->word;
    if (word_state(word) <= STATE_RUNNABLE || word_state(word) == STATE_DEAD)
        return 0;
    __u64 now = run_queue_clock(task);
    word = resolve(task, thread, STATE_RUNNABLE, now);
    if (!word_slot(word) || word_state(word) <= STATE_RUNNABLE)
        return 0;
    word = change_state(thread, word, STATE_RUNNABLE);
    struct ledger_account* account = word_slot(word) ? find_account(WRITER_OWN, word_slot(word)) : 0;
    if (!account)
        return 0;
    begin(WRITER_OWN, account);
    leave(WRITER_OWN, account, word_state(word), now);
    enter(WRITER_OWN, account, STATE_RUNNABLE, now);
    add(WRITER_OWN, &account->wakeups, 1);
    end(WRITER_OWN, account);
    end_wait(thread, now);
    time_wait(word_slot(word), word_state(word), now - thread->since_ns);
    thread->since_ns = now;
    return 0;
}
