/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which end of a TCP connection a socket is. A connection does not say so itself, once it is there: it was
 * accepted if somebody has listened on its local port. A port is remembered beyond the listener's end, as its
 * connections can go on, until a connection is made from it.
 */
#pragma once

#include "kernel.bpf.h"

struct listening_port {
    __u32 network; /* the namespace's inode number */
    __u32 port;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct listening_port);
    __type(value, __u8);
} listening_ports SEC(".maps");

/* `sock` is an address; READ() comes from classify.bpf.h. */
static __always_inline struct listening_port port_of(__u64 sock) {
    __u64 network = (__u64)READ(struct sock, sock, __sk_common.skc_net.net);
    struct listening_port port = {.network = READ(struct net, network, ns.inum),
                                  .port = READ(struct sock, sock, __sk_common.skc_num)};
    return port;
}

static __always_inline bool is_server(__u64 sock) {
    __u8 state = READ(struct sock, sock, __sk_common.skc_state);
    if (state == TCP_LISTEN || state == TCP_SYN_SENT)
        return state == TCP_LISTEN;
    struct listening_port port = port_of(sock);
    return bpf_map_lookup_elem(&listening_ports, &port);
}

static __always_inline void remember_listener(__u64 sock) {
    struct listening_port port = port_of(sock);
    __u8 there = 1;
    bpf_map_update_elem(&listening_ports, &port, &there, BPF_ANY);
}

static __always_inline void forget_listener(__u64 sock) {
    struct listening_port port = port_of(sock);
    bpf_map_delete_elem(&listening_ports, &port);
}
