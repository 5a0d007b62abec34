/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the other end of a socket is known by, and a FIFO: the keys of shared/peer.h, and their names. */
#pragma once

#include "calls.bpf.h"
#include "kernel_net.bpf.h"
#include "scope.bpf.h"
#include "shared/peer.h"
#include "shared/socket.h"

static __always_inline __u16 swapped(__u16 port) {
    return __builtin_bswap16(port);
}

/* As IPv6 has it, IPv4 as mapped, to `words`, which are 0; false: it cannot be read. */
static __always_inline bool read_address(__u64* words, __u64 sock, __u16 family, bool remote) {
    if (family == AF_INET) {
        __u32 address = remote ? READ(struct sock, sock, __sk_common.skc_daddr)
                               : READ(struct sock, sock, __sk_common.skc_rcv_saddr);
        words[1] = (__u64)address << 32 | 0xffff0000; /* ::ffff:a.b.c.d on little-endian machines */
        return true;
    }
    if (!bpf_core_field_exists(struct sock_common, skc_v6_daddr))
        return false;
    __u64 offset = remote ? bpf_core_field_offset(struct sock_common, skc_v6_daddr)
                          : bpf_core_field_offset(struct sock_common, skc_v6_rcv_saddr);
    return !bpf_probe_read_kernel(words, 2 * sizeof(*words), (void*)sock + offset);
}

static __always_inline bool name_internet_socket(struct peer_key* key, __u64 sock, __u16 family,
                                                 bool remote) {
    key->kind = remote ? PEER_REMOTE : PEER_LOCAL;
    __u64 net = (__u64)READ(struct sock, sock, __sk_common.skc_net.net);
    key->netns = READ(struct net, net, ns.inum);
    key->port = remote ? swapped(READ(struct sock, sock, __sk_common.skc_dport))
                       : READ(struct sock, sock, __sk_common.skc_num);
    read_address(key->words, sock, family, remote);
    return true;
}

#define UNIX_NAME_WORDS 14 /* sun_path, to whole words */

/* The bytes of a name, 0 behind them; returns how many. */
static __always_inline __u32 read_unix_name(void* buffer, __u64 address) {
    __s32 size = READ(struct unix_address, address, len) - (__s32)sizeof(unsigned short);
    if (size <= 0 || size > 108)
        return 0;
    __u64 offset = bpf_core_field_offset(struct unix_address, name) + sizeof(unsigned short);
    return bpf_probe_read_kernel(buffer, size, (void*)address + offset) ? 0 : size;
}

static __noinline __u64 hash_unix_name(__u64 address) {
    __u64 words[UNIX_NAME_WORDS] = {};
    __u64 hash = read_unix_name(words, address);
    for (int i = 0; i < UNIX_NAME_WORDS; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The name that both ends of a unix socket go by is the listener's: an accepted socket shares it, and where
 * both have one, it has more users. */
static __always_inline bool name_unix_socket(struct peer_key* key, __u64* named, __u64 sock, __u32 role) {
    __u64 own = (__u64)READ(struct unix_sock, sock, addr);
    __u64 other = (__u64)READ(struct unix_sock, sock, peer);
    __u64 theirs = other ? (__u64)READ(struct unix_sock, other, addr) : 0;
    if (role == ROLE_NONE && own && theirs)
        role = READ(struct unix_address, own, refcnt.refs.counter) >
                       READ(struct unix_address, theirs, refcnt.refs.counter)
                   ? ROLE_SERVER
                   : ROLE_CLIENT;
    bool is_client = theirs && (!own || role != ROLE_SERVER);
    *named = is_client ? theirs : own;
    if (!*named)
        return false;
    key->kind = PEER_UNIX;
    key->words[0] = hash_unix_name(*named);
    if (is_client)
        key->words[1] = (__u64)READ(struct sock, sock, sk_peer_pid);
    return true;
}

/* What bind() was asked for: SOCK_BIND…_LOCK. */
static __always_inline __u8 bind_locks(__u64 sock) {
    return kernel_can_cast ? BPF_CORE_READ_BITFIELD(AS(struct sock, sock), sk_userlocks)
                           : BPF_CORE_READ_BITFIELD_PROBED((struct sock*)sock, sk_userlocks);
}

static __always_inline bool has_fixed_port(__u64 sock) {
    return bind_locks(sock) & SOCK_BINDPORT_LOCK;
}

/* Of several connections that are one by MPTCP the first. */
static __always_inline __u64 first_connection(__u64 sock) {
    if (!bpf_core_type_exists(struct mptcp_sock) || READ(struct sock, sock, sk_protocol) != IPPROTO_MPTCP)
        return sock;
    return (__u64)READ(struct mptcp_sock, sock, first);
}

/*
 * By the kernel's own traces, of a TCP socket that does not listen: a port that connect() chose is marked as
 * such in the table of bound ports, a port that bind() fixed is marked in the socket, and neither is so in an
 * accepted socket. A client that bound an address but no port has neither mark: it never had a backlog, which
 * an accepted socket has from its listener. What is left open is a listener with a backlog of 0: that its
 * connections were accepted is seen if it has bound no address.
 */
static __always_inline __u32 traced_tcp_role(__u64 sock, __u8 state) {
    if (state == TCP_SYN_SENT)
        return ROLE_CLIENT;
    sock = first_connection(sock);
    __u64 port = (__u64)READ(struct inet_connection_sock, sock, icsk_bind_hash);
    if (!port)
        return ROLE_NONE;
    __u8 locks = bind_locks(sock);
    if (locks & SOCK_BINDPORT_LOCK || READ(struct inet_bind_bucket, port, fastreuse) < 0)
        return ROLE_CLIENT;
    bool may_be_client = locks & SOCK_BINDADDR_LOCK;
    return may_be_client && !READ(struct sock, sock, sk_max_ack_backlog) ? ROLE_CLIENT : ROLE_SERVER;
}

/* Of a connection; what has ended, or is none yet, has no role but one that was remembered. */
static __always_inline __u32 infer_tcp_role(__u64 sock) {
    __u8 state = READ(struct sock, sock, __sk_common.skc_state);
    return state == TCP_LISTEN || state == TCP_CLOSE ? ROLE_NONE : traced_tcp_role(sock, state);
}

/* Whether a TCP socket listens or was accepted, in whatever state it is. */
static __always_inline bool is_server(__u64 sock) {
    __u8 state = READ(struct sock, sock, __sk_common.skc_state);
    return state == TCP_LISTEN || traced_tcp_role(sock, state) == ROLE_SERVER;
}

/*
 * What the other end of a socket is known by; false: it has no one other end, or none with a name. `role`:
 * ROLE_NONE where the caller does not know it. `named`: what write_name() takes the name from.
 */
static __noinline bool name_socket(struct peer_key* key, __u64* named, __u64 sock, __u32 role) {
    __u16 family = READ(struct sock, sock, __sk_common.skc_family);
    if (family == AF_UNIX)
        return name_unix_socket(key, named, sock, role);
    if (family != AF_INET && family != AF_INET6)
        return false;
    __u16 protocol = READ(struct sock, sock, sk_protocol);
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) {
        bool serves = role ? role == ROLE_SERVER : is_server(sock);
        return name_internet_socket(key, sock, family, !serves);
    }
    if (protocol != IPPROTO_UDP)
        return false;
    if (READ(struct sock, sock, __sk_common.skc_state) == TCP_ESTABLISHED)
        return name_internet_socket(key, sock, family, true);
    if (has_fixed_port(sock))
        return name_internet_socket(key, sock, family, false);
    return false;
}

static __always_inline void name_fifo(struct peer_key* key, __u64 dentry) {
    key->kind = PEER_FIFO;
    __u64 inode = (__u64)READ(struct dentry, dentry, d_inode);
    key->words[0] = READ(struct inode, inode, i_ino);
    key->words[1] = BPF_CORE_READ((struct inode*)inode, i_sb, s_dev);
}

static __always_inline void write_path(struct peer_name* name, __u64 dentry) {
    for (int i = 0; i < PEER_NAME_PARTS; i++) {
        __u64 parent = (__u64)READ(struct dentry, dentry, d_parent);
        if (!parent || parent == dentry)
            return;
        bpf_probe_read_kernel_str(name->text + i * PEER_NAME_PART, PEER_NAME_PART,
                                  READ(struct dentry, dentry, d_name.name));
        name->parts = i + 1;
        dentry = parent;
    }
}

#define PIDTYPE_TGID 1

/* The cgroup of a process that may have ended; 0: it has. */
static __always_inline __u64 cgroup_of_process(__u64 pid) {
    struct hlist_node* first = BPF_CORE_READ((struct pid*)pid, tasks[PIDTYPE_TGID].first);
    if (!first)
        return 0;
    __u64 offset = bpf_core_field_offset(struct task_struct, pid_links[PIDTYPE_TGID]);
    struct css_set* set = BPF_CORE_READ((struct task_struct*)((void*)first - offset), cgroups);
    if (subsystem_index < 0)
        return BPF_CORE_READ(set, dfl_cgrp, kn, id);
    struct cgroup_subsys_state* state = 0;
    bpf_probe_read_kernel(&state, sizeof(state), (void*)&set->subsys + sizeof(void*) * subsystem_index);
    return BPF_CORE_READ(state, cgroup, kn, id);
}

static __noinline int write_name(struct peer_name* name, struct peer_key* key, __u64 named) {
    __builtin_memset(name, 0, sizeof(*name));
    if (key->kind == PEER_FIFO)
        write_path(name, named);
    if (key->kind != PEER_UNIX)
        return 0;
    name->size = read_unix_name(name->text, named);
    name->server = key->words[1] ? cgroup_of_process(key->words[1]) : 0;
    return 0;
}
