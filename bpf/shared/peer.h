/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Peers: who a container talks to and waits for. A peer has one account, found by its key. All counters are
 * cumulative.
 */
#pragma once

#include "tenure.h"

enum plimsoll_peer_kind {
    PEER_NONE,
    PEER_REMOTE, /* a service that the container is a client of: its address and port */
    PEER_LOCAL,  /* the container serves: its own address and port, never the clients' */
    PEER_UNIX,   /* a unix socket by its name */
    PEER_FIFO,   /* a FIFO by its path */
};

struct peer_key {
    __u32 netns; /* inode number of the network namespace: loopback addresses mean something in theirs only */
    __u16 port;
    __u8 kind;
    __u8 reserved;
    /*
     * The address as IPv6 has it, IPv4 as mapped. PEER_UNIX: a hash of the name and, for clients, what the
     * kernel knows the listening process by. PEER_FIFO: the inode's number and device.
     */
    __u64 words[2];
};
PLIMSOLL_ASSERT_SIZE(struct peer_key, 24);

struct peer_owner {
    struct tenure owner;
    struct peer_key key;
};

/* What adds up. */
struct peer_sums {
    __u64 n; /* threads that wait, see struct ledger_cell */
    __u64 sum_ns;
    __u64 bytes[2]; /* by enum plimsoll_direction */
    __u64 connections;
    __u64 errors;
};

/*
 * Written by everybody with atomics: the two of a wait between `begun` and `ended`. The first accounts are
 * fixed: one for each slot's peers that have none of their own, then one for each slot's waits and bytes
 * without a peer. Then come those of peers.
 */
struct peer_account {
    __u32 begun;
    __u32 ended;
    struct peer_sums sums;
    __u32 slot;
    __u32 generation; /* of a peer's: another when it is given back, and when it is free; of a slot's rest:
                         how many peers it has */
};
PLIMSOLL_ASSERT_SIZE(struct peer_account, 64);

/* The name of a unix socket (`parts` 0), or the last parts of a path from the last to the first. */
#define PEER_NAME_PARTS 8
#define PEER_NAME_PART 30
struct peer_name {
    __u64 server; /* PEER_UNIX, for clients: the cgroup of the listening process; 0: not known */
    __u32 size;
    __u32 parts;
    char text[PEER_NAME_PARTS * PEER_NAME_PART];
};
PLIMSOLL_ASSERT_SIZE(struct peer_name, 256);

/* How many peers have accounts of their own at a time, in all and of a slot. */
#define PEERS_MAX 4096
#define PEERS_PER_SLOT 1024

/* In task_state::peer: the wait's end will tell which of several it was. */
#define PEER_LATER 0x80000000
