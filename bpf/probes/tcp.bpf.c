/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections: made, failed, ended, how long that took; retransmits and resets. Counted for the container
 * that the socket belongs to, since most of it happens in interrupts. How many there are in each state is
 * found by a walk over what is remembered of sockets, when somebody asks.
 */
#include "shared/tcp.h"

#include "shared/time_bucket.h"
#include "socket.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* include/uapi/asm-generic/errno.h */
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111
#define EHOSTUNREACH 113
#define ENETUNREACH 101
#define ENETDOWN 100
#define EHOSTDOWN 112

__u64 walk = 0; /* the number of the walk under way */

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct tcp_account);
} tcp_accounts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct tcp_states);
} tcp_states SEC(".maps");

static __always_inline struct tcp_account* find_tcp_account(__u32 slot) {
    if (!slot)
        return 0;
    struct tcp_account* account = bpf_map_lookup_elem(&tcp_accounts, &slot);
    if (!account)
        count_failure(FAILURE_account_missing);
    return account;
}

static __always_inline void observe_time(struct tcp_times* times, __u64 ns) {
    __sync_fetch_and_add(&times->sum_ns, ns);
    __sync_fetch_and_add(&times->buckets[time_bucket(ns, TCP_TIME_BUCKETS)], 1);
}

/* Who is not a client was accepted. */
static __always_inline __u32 side_of(struct socket_record* record) {
    return record->role == ROLE_CLIENT ? SIDE_CLIENT : SIDE_SERVER;
}

static __always_inline __u32 failure_of(int error) {
    switch (error) {
        case ECONNREFUSED:
            return TCP_REFUSED;
        case ETIMEDOUT:
            return TCP_TIMEOUT;
        case ENETUNREACH:
        case ENETDOWN:
        case EHOSTUNREACH:
        case EHOSTDOWN:
            return TCP_UNREACHABLE;
        case ECONNRESET:
            return TCP_RESET;
        default:
            return TCP_OTHER;
    }
}

static __always_inline void observe_round_trip(struct sock* sk, struct tcp_account* account, __u32 side) {
    struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
    __u32 eighths = tcp ? tcp->srtt_us : 0;
    if (eighths)
        observe_time(&account->round_trip[side], eighths * 125ULL);
}

/* A connection was made, or came to a bad end. */
static __noinline int count_peer(struct sock* sk, struct socket_record* record, __u32 slot, bool failed) {
    __u32 role = record->role == ROLE_CLIENT ? ROLE_CLIENT : ROLE_SERVER;
    struct peer_account* peer = socket_peer(sk, record, PROTOCOL_TCP, role, slot);
    if (peer)
        __sync_fetch_and_add(failed ? &peer->sums.errors : &peer->sums.connections, 1);
    return 0;
}

static __always_inline void complete(struct sock* sk, struct tcp_account* account,
                                     struct socket_record* record, __u32 slot, __u32 side) {
    __u64 now = bpf_ktime_get_boot_ns();
    __sync_fetch_and_add(&account->opened[side], 1);
    if (books_peers)
        count_peer(sk, record, slot, false);
    if (side == SIDE_CLIENT && record->since_ns)
        observe_time(&account->connect, now - record->since_ns);
    record->since_ns = now;
    record->open = 1;
}

static __always_inline void finish(struct sock* sk, struct tcp_account* account, struct socket_record* record,
                                   int from, __u32 slot, __u32 side) {
    bool opening = from == TCP_SYN_SENT || from == TCP_SYN_RECV;
    if (books_peers && (record->open ? sk->sk_err != 0 : opening))
        count_peer(sk, record, slot, true);
    if (record->open) {
        __sync_fetch_and_add(&account->closed[side], 1);
        if (record->since_ns)
            observe_time(&account->connection[side], bpf_ktime_get_boot_ns() - record->since_ns);
    } else if (opening) {
        __sync_fetch_and_add(&account->failed[side][failure_of(sk->sk_err)], 1);
    }
    record->since_ns = 0;
    record->open = 0;
}

/*
 * The kernel has one number for all that a listening socket dropped. It is collected when somebody asks and
 * when the socket closes; whether connections that waited to be accepted were too many then says why.
 */
static __always_inline void collect_drops(struct sock* sk, struct tcp_account* account,
                                          struct socket_record* record) {
    __u32 drops = sk->sk_drops.counter, gained = drops - record->drops;
    if (!account || !gained)
        return;
    bool full = sk->sk_ack_backlog > sk->sk_max_ack_backlog;
    record->drops = drops;
    __sync_fetch_and_add(&account->listen_drops[full ? DROP_OVERFLOW : DROP_OTHER], gained);
}

/*
 * Called right before each change. A connection that is older than the agent and was not found when it looked
 * around (no process had it) is known from its first change on.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_set_state, struct sock* sk, int from, int to) {
    if (sk->sk_protocol != IPPROTO_TCP)
        return 0;
    struct socket_record* record = 0;
    __u32 slot = follow_socket(sk, from, to, &record);
    struct tcp_account* account = find_tcp_account(slot);
    if (!account || !record)
        return 0;
    bool newborn = from == TCP_LISTEN && to == TCP_SYN_RECV;
    if (to == TCP_SYN_SENT || newborn) { /* a newborn has a copy of what its listener was remembered by */
        record->since_ns = newborn ? 0 : bpf_ktime_get_boot_ns();
        record->open = 0;
        record->drops = 0;
        return 0;
    }
    bool opening = from == TCP_SYN_SENT || from == TCP_SYN_RECV;
    if (!opening && from != TCP_CLOSE && from != TCP_LISTEN)
        record->open = 1;
    __u32 side = side_of(record);
    if (to == TCP_ESTABLISHED)
        complete(sk, account, record, slot, side);
    if (to == TCP_ESTABLISHED || from == TCP_ESTABLISHED)
        observe_round_trip(sk, account, side);
    if (from == TCP_LISTEN)
        collect_drops(sk, account, record);
    else if (to == TCP_CLOSE)
        finish(sk, account, record, from, slot, side);
    return 0;
}

/* As the kernel counts them in RetransSegs: by segments. */
static __always_inline int count_retransmit(struct sock* sk, struct sk_buff* packet) {
    struct tcp_account* account = find_tcp_account(slot_of_owner(sk, find_record(sk)));
    if (account)
        __sync_fetch_and_add(&account->retransmits,
                             BPF_CORE_READ((struct tcp_skb_cb*)&packet->cb, tcp_gso_segs));
    return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock* sk, struct sk_buff* packet) {
    return count_retransmit(sk, packet);
}

/* Since 6.17 it also tells of attempts that failed; the daemon loads the one that fits the kernel's
 * prototype. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_result, struct sock* sk, struct sk_buff* packet, int error) {
    return error ? 0 : count_retransmit(sk, packet);
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, struct sock* listener) {
    struct tcp_account* account = find_tcp_account(slot_of_owner(listener, find_record(listener)));
    if (account)
        __sync_fetch_and_add(&account->retransmits, 1);
    return 0;
}

/*
 * The socket is null where there is none, which the verifier of some kernels does not believe, and may be
 * what is left of one: neither has an owner. Looked at as a number, and read by copy, until that is known.
 */
SEC("tp_btf/tcp_send_reset")
int on_send_reset(__u64* context) {
    __u64 address = 0;
    bpf_probe_read_kernel(&address, sizeof(address), context);
    if (!address)
        return 0;
    __u8 state = BPF_CORE_READ((struct sock_common*)address, skc_state);
    if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
        return 0;
    struct sock* sk = (struct sock*)context[0];
    if (!sk)
        return 0;
    struct tcp_account* account = find_tcp_account(slot_of_owner(sk, find_record(sk)));
    if (account)
        __sync_fetch_and_add(&account->resets[RESET_SENT], 1);
    return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_receive_reset, struct sock* sk) {
    struct tcp_account* account = find_tcp_account(slot_of_owner(sk, find_record(sk)));
    if (account)
        __sync_fetch_and_add(&account->resets[RESET_RECEIVED], 1);
    return 0;
}

/* How long a connection waited to be accepted. What is returned may be null, and then is no socket with a
 * record. */
static __always_inline int observe_accept(struct sock* accepted) {
    struct socket_record* record = find_record(accepted);
    struct tcp_account* account = record ? find_tcp_account(slot_of_owner(accepted, record)) : 0;
    if (account && record->since_ns)
        observe_time(&account->accept, bpf_ktime_get_boot_ns() - record->since_ns);
    return 0;
}

/* Two arguments since 6.10, four before; the daemon loads the one that fits. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(after_accept, void* listener, void* arguments, struct sock* accepted) {
    return observe_accept(accepted);
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(after_accept_of_four, void* listener, int flags, void* error, bool kernel,
             struct sock* accepted) {
    return observe_accept(accepted);
}

/* Sockets that are older than the agent, or than their container's being watched. */
SEC("iter/task_file")
int on_each_file(struct bpf_iter__task_file* context) {
    struct sock* sk = tcp_socket_of(context);
    struct task_struct* task = context->task;
    if (!sk || !task)
        return 0;
    __u64 owner_id = subsystem_index < 0 ? sk->sk_cgrp_data.cgroup->kn->id : cgroup_id_of(task);
    struct socket_record* record = slot_of_cgroup(owner_id) ? make_record(sk) : 0;
    if (!record)
        return 0;
    __u8 state = sk->__sk_common.skc_state;
    if (!record->owner_id)
        record->owner_id = owner_id;
    if (!record->role) {
        record->role = state == TCP_LISTEN ? ROLE_SERVER : infer_tcp_role((__u64)sk);
        record->drops = sk->sk_drops.counter;
    }
    if (state != TCP_LISTEN && state != TCP_CLOSE && state != TCP_SYN_SENT && state != TCP_SYN_RECV)
        record->open = 1;
    return 0;
}

SEC("iter/bpf_sk_storage_map")
int on_each_socket(struct bpf_iter__bpf_sk_storage_map* context) {
    struct sock* sk = context->sk;
    struct socket_record* record = context->value;
    if (!sk || !record || sk->sk_protocol != IPPROTO_TCP)
        return 0;
    __u32 slot = slot_of_owner(sk, record);
    struct tcp_states* states = slot ? bpf_map_lookup_elem(&tcp_states, &slot) : 0;
    if (!states)
        return 0;
    if (states->walk != walk) {
        __builtin_memset(states, 0, sizeof(*states));
        states->walk = walk;
    }
    __u8 state = sk->__sk_common.skc_state;
    states->sockets[state & (TCP_STATE_LIMIT - 1)]++;
    if (state == TCP_LISTEN)
        collect_drops(sk, find_tcp_account(slot), record);
    return 0;
}
