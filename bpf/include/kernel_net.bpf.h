/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel types of the network: what kernel.bpf.h is for the rest, and part of it. */
#pragma once

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
    unsigned short skc_family;
    volatile unsigned char skc_state;
};

struct sock_cgroup_data {
    struct cgroup*
        cgroup; /* of the default hierarchy: the creator's, or the listener's for an accepted one */
};

struct sock {
    struct sock_common __sk_common;
    unsigned char sk_userlocks : 4; /* a whole byte since 6.12: BPF_CORE_READ_BITFIELD only */
    unsigned short sk_type;
    unsigned short sk_protocol;
    int sk_err;
    atomic_t sk_drops; /* atomic_t in all kernels so far, a counter of its own kind to come */
    __u32 sk_ack_backlog, sk_max_ack_backlog; /* of a listening socket: connections to be accepted */
    struct sock_cgroup_data sk_cgrp_data;
    struct bpf_local_storage* sk_bpf_storage;
};

struct socket {
    struct sock* sk;
};

struct inet_bind_bucket {
    signed char fastreuse; /* -1: the port was chosen by connect() */
};

struct inet_connection_sock {
    struct inet_bind_bucket* icsk_bind_hash;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u32 srtt_us; /* smoothed round-trip time, in eighths of a microsecond; 0: none yet */
};

struct sk_buff {
    char cb[48];
};

/* What TCP keeps in sk_buff::cb. */
struct tcp_skb_cb {
    unsigned short tcp_gso_segs;
};

typedef struct refcount_struct {
    atomic_t refs;
} refcount_t;

struct unix_address {
    refcount_t refcnt;
};

struct unix_sock {
    struct unix_address* addr;
    struct sock* peer;
};

struct bpf_map;
struct bpf_iter__bpf_sk_storage_map {
    struct bpf_iter_meta* meta;
    struct bpf_map* map;
    struct sock* sk;
    void* value;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
    __u32 fd;
    struct file* file;
};

#pragma clang attribute pop

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_MPTCP 262

#define MSG_PEEK 0x02
#define MSG_ERRQUEUE 0x2000

/* include/net/sock.h: what bind() fixed; an accepted socket never has the second. */
#define SOCK_BINDPORT_LOCK 8

/* include/net/tcp_states.h */
enum tcp_state {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RECV,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_TIME_WAIT,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
    TCP_NEW_SYN_RECV,
};
