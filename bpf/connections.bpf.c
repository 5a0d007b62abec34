/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rules with connects_to: a cgroup that connects to an address of a rule has a slot before its first packet
 * is sent, and the daemon is told, which confirms the slot or takes it back. Loaded only where there is such
 * a rule. Attached before the probes, so that they find the slot at the very same change of a socket's state.
 */
#include "shared/connections.h"

#include "events.bpf.h"
#include "provisional.bpf.h"
#include "scope.bpf.h"
#include "socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u64 root_cgroup_id = 1;     /* never a container */
const volatile __u32 kernel_can_iterate = 0; /* bpf_iter_task_new exists (6.7) */

__u32 armed = 0; /* somebody reads the events */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, struct connection_target);
    __type(value, __u32);
} targets SEC(".maps");

/*
 * Whom the daemon has been told of, so that connections that a rule's other parts refuse cost it nothing. One
 * that was pushed out is told again.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct connection_meeting);
    __type(value, __u32);
} told SEC(".maps");

struct bpf_iter_task {
    __u64 opaque[3];
};
extern int bpf_iter_task_new(struct bpf_iter_task* iterator, struct task_struct* task,
                             unsigned int flags) __ksym __weak;
extern struct task_struct* bpf_iter_task_next(struct bpf_iter_task* iterator) __ksym __weak;
extern void bpf_iter_task_destroy(struct bpf_iter_task* iterator) __ksym __weak;
#define BPF_TASK_ITER_PROC_THREADS 2

static __always_inline bool find_target(struct sock* sk, struct connection_target* target) {
    __u16 family = sk->__sk_common.skc_family;
    __u64 words[2] = {};
    if ((family != AF_INET && family != AF_INET6) || !read_address(words, (__u64)sk, family, true))
        return false;
    __builtin_memcpy(target->address, words, sizeof(target->address));
    target->port = sk->__sk_common.skc_dport;
    return true;
}

/* A slot for a cgroup that has none; it may get one from elsewhere at this moment. */
static __always_inline bool claim(__u64 cgroup_id) {
    struct cgroup_scope scope = {.slot = take_provisional_slot(cgroup_id), .flags = SCOPE_PROVISIONAL};
    if (!bpf_map_update_elem(&cgroup_scopes, &cgroup_id, &scope, BPF_NOEXIST)) {
        __sync_fetch_and_add(&scope_control.generation, 1);
        return true;
    }
    return_provisional_slot(scope.slot);
    if (!bpf_map_lookup_elem(&cgroup_scopes, &cgroup_id))
        count_failure(FAILURE_cgroup_map_full);
    return false;
}

/* The thread that connects is on its CPU, as it has to be to connect. */
static __always_inline void bind_current(struct task_struct* task) {
    struct place place = locate(task);
    if (!place.slot)
        return;
    struct task_state* thread = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (thread)
        bind(WRITER_SHARED, task, thread, place, STATE_RUNNING, ledger_time());
    else
        count_failure(FAILURE_task_storage_full);
}

/*
 * The answer to this connection may be read by another thread of the process. With an empty record each binds
 * itself when it next runs or uses a socket; those that go on sleeping are visited by the daemon. On kernels
 * that cannot do this all wait for that visit.
 */
static __noinline int expect_threads(struct task_struct* task) {
    struct bpf_iter_task iterator;
    bpf_iter_task_new(&iterator, task, BPF_TASK_ITER_PROC_THREADS);
    struct task_struct* thread;
    while ((thread = bpf_iter_task_next(&iterator)))
        bpf_task_storage_get(&tasks, thread, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    bpf_iter_task_destroy(&iterator);
    return 0;
}

static __always_inline void tell(void* context, struct connection_meeting* meeting, bool claimed) {
    __u32 yes = 1;
    if (bpf_map_update_elem(&told, meeting, &yes, BPF_NOEXIST) && !claimed)
        return; /* another thread does it */
    struct connection_event event = {
        .header = {.kind = EVENT_connection,
                   .slot = slot_of_cgroup(meeting->cgroup_id),
                   .ts_ns = bpf_ktime_get_boot_ns(),
                   .cgroup_id = meeting->cgroup_id},
        .target = meeting->target,
    };
    if (!send_urgent_event(context, &event, sizeof(event)))
        bpf_map_delete_elem(&told, meeting); /* the next connection tries again */
}

static __always_inline void meet(void* context, struct task_struct* task, struct connection_target* target) {
    __u32* number = bpf_map_lookup_elem(&targets, target);
    if (!number)
        return;
    struct connection_meeting meeting = {.cgroup_id = cgroup_id_of(task), .target = *number};
    if (!bpf_map_lookup_elem(&told, &meeting)) {
        bool may_claim =
            meeting.cgroup_id != root_cgroup_id && !bpf_map_lookup_elem(&cgroup_scopes, &meeting.cgroup_id);
        bool claimed = may_claim && claim(meeting.cgroup_id);
        if (claimed && kernel_can_iterate)
            expect_threads(task);
        tell(context, &meeting, claimed);
    }
    bind_current(task);
}

/* Called right before the change, by connect() and what comes to the same: in process context. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_connect, struct sock* sk, int from, int to) {
    struct connection_target target = {};
    if (to != TCP_SYN_SENT || sk->sk_protocol != IPPROTO_TCP || !armed || !find_target(sk, &target))
        return 0;
    struct task_struct* task = bpf_get_current_task_btf();
    meet(ctx, task, &target);
    __builtin_memset(target.address, 0, sizeof(target.address));
    meet(ctx, task, &target);
    return 0;
}

static __always_inline void report(struct seq_file* out, struct task_struct* task,
                                   struct connection_target* target) {
    __u32* number = bpf_map_lookup_elem(&targets, target);
    if (!number)
        return;
    struct connection_meeting meeting = {.cgroup_id = cgroup_id_of(task), .target = *number};
    bpf_seq_write(out, &meeting, sizeof(meeting));
}

/* Connections that are older than the agent. The daemon reads who has one; many may be of one cgroup. */
SEC("iter/task_file")
int on_each_connection(struct bpf_iter__task_file* context) {
    struct sock* sk = tcp_socket_of(context);
    struct task_struct* task = context->task;
    struct connection_target target = {};
    if (!sk || !task || infer_tcp_role((__u64)sk) != ROLE_CLIENT || !find_target(sk, &target))
        return 0;
    report(context->meta->seq, task, &target);
    __builtin_memset(target.address, 0, sizeof(target.address));
    report(context->meta->seq, task, &target);
    return 0;
}
