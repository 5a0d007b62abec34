/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel types of the network: what kernel.bpf.h is for the rest, and part of it. */
#pragma once

#include "kernel.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum; /* of /proc/PID/ns/net */
};

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net* net;
} possible_net_t;

struct in6_addr {
    __u8 bytes[16];
};

struct sock_common {
    __u32 skc_daddr, skc_rcv_saddr; /* the other end's and the own address, as in packets */
    __u16 skc_dport;                /* as in packets */
    __u16 skc_num;                  /* the own port, as a number */
    unsigned short skc_family;
    volatile unsigned char skc_state;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr; /* not there without CONFIG_IPV6 */
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
    atomic_t sk_drops;        /* atomic_t in all kernels so far, a counter of its own kind to come */
    __u32 sk_ack_backlog;     /* of a listening socket: connections to be accepted */
    __u32 sk_max_ack_backlog; /* that listen() allows; those that were accepted have it from their listener */
    struct pid* sk_peer_pid;  /* of a unix socket: of who listened, for who connected */
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

/* A connection of several TCP connections. */
struct mptcp_sock {
    struct sock* first;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    __u32 srtt_us; /* smoothed round-trip time, in eighths of a microsecond; 0: none yet */
};

struct net_device {
    char name[16];
    possible_net_t nd_net;
};

struct sk_buff {
    struct net_device* dev;
    char cb[48];
};

/* What TCP keeps in sk_buff::cb. */
struct tcp_skb_cb {
    unsigned short tcp_gso_segs;
};

typedef struct refcount_struct {
    atomic_t refs;
} refcount_t;

struct sockaddr_un {
    unsigned short sun_family;
};

struct unix_address {
    refcount_t refcnt;
    int len; /* of what follows */
    struct sockaddr_un name[1];
};

struct unix_sock {
    struct unix_address* addr;
    struct sock* peer;
};

struct rb_node {
    struct rb_node *rb_right, *rb_left;
};

struct rb_root {
    struct rb_node* rb_node;
};

struct rb_root_cached {
    struct rb_root rb_root;
};

struct list_head {
    struct list_head* next;
};

struct epoll_filefd {
    struct file* file;
};

/* A descriptor in an epoll instance. */
struct epitem {
    struct rb_node rbn; /* a union before and since */
    struct list_head rdllink;
    struct epoll_filefd ffd;
};

struct eventpoll {
    struct list_head rdllist; /* of items that are ready, in the order that they became it */
    struct rb_root_cached rbr;
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
#define SOCK_BINDADDR_LOCK 4
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
