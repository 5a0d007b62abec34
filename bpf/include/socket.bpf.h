/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a socket is: its protocol, its role, and whose it is. For the probes on sockets, which share the map
 * of what is remembered of TCP sockets.
 *
 * A TCP connection's role is decided while it is made, and remembered. For those that are older than the
 * agent, or come from where nobody watched, the kernel's own traces tell.
 */
#pragma once

#include "kernel_net.bpf.h"
#include "peers.bpf.h"
#include "scope.bpf.h"
#include "shared/socket.h"

/* A listening socket's record is cloned with it: so an accepted one has an owner before it has a process. */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct socket_record);
} sockets SEC(".maps");

static __always_inline __u32 protocol_of(struct sock* sk) {
    __u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
    if (family == AF_UNIX)
        return PROTOCOL_UNIX;
    if (family != AF_INET && family != AF_INET6)
        return PROTOCOL_OTHER;
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
        return PROTOCOL_TCP;
    return protocol == IPPROTO_UDP ? PROTOCOL_UDP : PROTOCOL_OTHER;
}

/* The TCP socket behind a descriptor that an iterator has come to; null when it is something else. */
static __always_inline struct sock* tcp_socket_of(struct bpf_iter__task_file* context) {
    struct file* file = context->file;
    if (!file || !context->task)
        return 0;
    struct socket* socket = bpf_sock_from_file(file);
    struct sock* sk = socket ? socket->sk : 0;
    return sk && sk->sk_protocol == IPPROTO_TCP && protocol_of(sk) == PROTOCOL_TCP ? sk : 0;
}

static __always_inline struct socket_record* find_record(struct sock* sk) {
    return sk->sk_bpf_storage ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0;
}

static __always_inline struct socket_record* make_record(struct sock* sk) {
    struct socket_record* record = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!record)
        count_failure(FAILURE_socket_storage_full);
    return record;
}

/* Called in the context of a watched thread that uses the socket. */
static __noinline __u32 first_tcp_role(struct sock* sk) {
    __u32 role = infer_tcp_role((__u64)sk);
    struct socket_record* record = role ? make_record(sk) : 0;
    if (!record)
        return role;
    record->role = role;
    if (subsystem_index >= 0 && !record->owner_id)
        record->owner_id = cgroup_id_of(bpf_get_current_task_btf());
    return role;
}

static __always_inline __u32 tcp_role(struct sock* sk, struct socket_record* record) {
    return record && record->role ? record->role : first_tcp_role(sk);
}

/* A port that was asked for and has no partner serves whoever comes; all other datagrams are a client's. */
static __always_inline __u32 udp_role(struct sock* sk) {
    bool connected = sk->__sk_common.skc_state == TCP_ESTABLISHED;
    return !connected && has_fixed_port((__u64)sk) ? ROLE_SERVER : ROLE_CLIENT;
}

/*
 * Both sides have a name. An accepted socket shares its listener's, so that the count of users tells whose
 * name it is as long as the listener lives; then it is remembered.
 */
static __noinline __u32 role_between_names(struct sock* sk, struct unix_address* name,
                                           struct unix_address* peer_name) {
    struct socket_record* record = find_record(sk);
    if (record && record->role)
        return record->role;
    int users = name->refcnt.refs.counter, peer_users = peer_name->refcnt.refs.counter;
    if (users == peer_users)
        return ROLE_NONE;
    __u32 role = users > peer_users ? ROLE_SERVER : ROLE_CLIENT;
    record = make_record(sk);
    if (record)
        record->role = role;
    return role;
}

/* The side with a name is the listener's: an accepted socket has its listener's name. A pair has no names. */
static __always_inline __u32 unix_role(struct sock* sk) {
    struct unix_sock* own = bpf_skc_to_unix_sock(sk);
    if (!own)
        return ROLE_NONE;
    struct unix_address* name = own->addr;
    struct sock* other = own->peer;
    bool stream = sk->sk_type != SOCK_DGRAM;
    if (!other)
        return stream ? ROLE_NONE : name ? ROLE_SERVER : ROLE_CLIENT;
    struct unix_sock* peer = bpf_skc_to_unix_sock(other);
    struct unix_address* peer_name = peer ? peer->addr : 0;
    if (!peer_name)
        return name ? ROLE_SERVER : ROLE_NONE;
    return name && stream ? role_between_names(sk, name, peer_name) : ROLE_CLIENT;
}

static __always_inline __u32 role_of(struct sock* sk, __u32 protocol, struct socket_record* record) {
    switch (protocol) {
        case PROTOCOL_TCP:
            return tcp_role(sk, record);
        case PROTOCOL_UDP:
            return udp_role(sk);
        case PROTOCOL_UNIX:
            return unix_role(sk);
        default:
            return ROLE_NONE;
    }
}

/*
 * The slot of the container that a TCP socket belongs to, in any context: by the cgroup that the kernel keeps
 * in it, or where that hierarchy identifies nobody, by the one that was remembered. Cgroup ids are never used
 * again, so a socket that outlives its container counts for nobody.
 */
static __always_inline __u32 slot_of_owner(struct sock* sk, struct socket_record* record) {
    if (subsystem_index < 0)
        return slot_of_cgroup(READ_ONLY(struct sock, sk)->sk_cgrp_data.cgroup->kn->id);
    return record ? slot_of_cgroup(record->owner_id) : SLOT_NONE;
}

/*
 * Keeps the record of a TCP socket, called before each change of its state by every probe that needs it:
 * whoever comes first writes. Returns the slot of its owner; 0 for sockets nobody watches, which have no
 * record.
 */
static __always_inline __u32 follow_socket(struct sock* sk, int from, int to, struct socket_record** found) {
    struct socket_record* record = find_record(sk);
    bool by_caller = to == TCP_SYN_SENT || to == TCP_LISTEN; /* else maybe an interrupt, whoever it met */
    __u64 caller_id = 0;
    __u32 slot;
    if (subsystem_index >= 0 && by_caller) {
        caller_id = cgroup_id_of(bpf_get_current_task_btf());
        slot = slot_of_cgroup(caller_id);
    } else {
        slot = slot_of_owner(sk, record);
    }
    if (!slot)
        return SLOT_NONE;
    if (!record)
        record = make_record(sk);
    *found = record;
    if (!record)
        return slot;
    if (by_caller)
        record->owner_id = caller_id;
    if (by_caller || from == TCP_LISTEN) /* what it was before, or its listener, had another end */
        record->peer = 0;
    if (to == TCP_SYN_SENT)
        record->role = ROLE_CLIENT;
    else if (to == TCP_LISTEN || from == TCP_LISTEN)
        record->role = ROLE_SERVER;
    else if (!record->role)
        record->role = infer_tcp_role((__u64)sk);
    return slot;
}

/* A datagram socket can be given another peer at any time. */
static __always_inline bool keeps_its_peer(__u32 protocol, struct sock* sk) {
    return protocol == PROTOCOL_TCP || (protocol == PROTOCOL_UNIX && sk->sk_type != SOCK_DGRAM);
}

static __noinline struct peer_account* find_socket_peer(struct sock* sk, __u32 protocol, __u32 role,
                                                        __u32 slot) {
    __u32 index = find_peer(plain((__u64)sk), role, slot);
    struct peer_account* account = peer_account(index);
    if (!account || index < 2 * scope_control.slots || !keeps_its_peer(protocol, sk))
        return account;
    struct socket_record* record = make_record(sk);
    if (record) {
        record->peer = index;
        record->peer_generation = account->generation;
    }
    return account;
}

/* The account of the socket's other end, as the slot sees it. */
static __always_inline struct peer_account* socket_peer(struct sock* sk, struct socket_record* record,
                                                        __u32 protocol, __u32 role, __u32 slot) {
    if (role == ROLE_NONE) /* neither end has a name */
        return peer_account(without_peer(slot));
    __u32 index = record ? record->peer : 0;
    struct peer_account* account = index ? peer_account(index) : 0;
    if (account && account->slot == slot && account->generation == record->peer_generation)
        return account;
    return find_socket_peer(sk, protocol, role, slot);
}
