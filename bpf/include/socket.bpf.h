/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a socket is: its protocol, its role, and whose it is. For the probes on sockets, which share the map
 * of what is remembered of TCP sockets.
 *
 * A TCP connection's role is decided while it is made, and remembered. For those that are older than the
 * agent, or come from where nobody watched, the kernel's own traces tell: a port that connect() chose is
 * marked as such in the table of bound ports, a port that bind() fixed is marked in the socket, and neither
 * is so in an accepted socket. What these marks leave open (a client that bound an address but no port) looks
 * accepted.
 */
#pragma once

#include "kernel_net.bpf.h"
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

static __always_inline struct socket_record* find_record(struct sock* sk) {
    return sk->sk_bpf_storage ? bpf_sk_storage_get(&sockets, sk, 0, 0) : 0;
}

static __always_inline struct socket_record* make_record(struct sock* sk) {
    struct socket_record* record = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!record)
        count_failure(FAILURE_socket_storage_full);
    return record;
}

static __always_inline bool has_fixed_port(struct sock* sk) {
    return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK;
}

/* For a TCP socket of which nothing is remembered. */
static __always_inline __u32 infer_tcp_role(struct sock* sk) {
    __u8 state = sk->__sk_common.skc_state;
    if (state == TCP_LISTEN || state == TCP_CLOSE)
        return ROLE_NONE;
    if (state == TCP_SYN_SENT || has_fixed_port(sk))
        return ROLE_CLIENT;
    struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
    struct inet_bind_bucket* port = tcp ? tcp->inet_conn.icsk_bind_hash : 0;
    if (!port)
        return ROLE_NONE;
    return port->fastreuse < 0 ? ROLE_CLIENT : ROLE_SERVER;
}

/* Called in the context of a watched thread that uses the socket. */
static __noinline __u32 first_tcp_role(struct sock* sk) {
    __u32 role = infer_tcp_role(sk);
    struct socket_record* record = role ? make_record(sk) : 0;
    if (!record)
        return role;
    record->role = role;
    if (subsystem_index >= 0 && !record->owner_id)
        record->owner_id = cgroup_id_of(bpf_get_current_task_btf());
    return role;
}

static __always_inline __u32 tcp_role(struct sock* sk) {
    struct socket_record* record = find_record(sk);
    return record && record->role ? record->role : first_tcp_role(sk);
}

/* A port that was asked for and has no partner serves whoever comes; all other datagrams are a client's. */
static __always_inline __u32 udp_role(struct sock* sk) {
    bool connected = sk->__sk_common.skc_state == TCP_ESTABLISHED;
    return !connected && has_fixed_port(sk) ? ROLE_SERVER : ROLE_CLIENT;
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

static __always_inline __u32 role_of(struct sock* sk, __u32 protocol) {
    switch (protocol) {
        case PROTOCOL_TCP:
            return tcp_role(sk);
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
        return slot_of_cgroup(sk->sk_cgrp_data.cgroup->kn->id);
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
    if (to == TCP_SYN_SENT)
        record->role = ROLE_CLIENT;
    else if (to == TCP_LISTEN || from == TCP_LISTEN)
        record->role = ROLE_SERVER;
    else if (!record->role)
        record->role = infer_tcp_role(sk);
    return slot;
}
