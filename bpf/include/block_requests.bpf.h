/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of shared/block.h. A hash map would do, but inserting and deleting costs it more than all the
 * rest of a request's life: here a look-up reads one cache line, and most look-ups are for requests that
 * nobody watches. The kernel uses the same few addresses over and over.
 *
 * One request is in one hook at a time, so only taking a free place needs an atomic.
 */
#pragma once

#include "cast.bpf.h"
#include "failures.bpf.h"
#include "shared/block.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, BLOCK_SETS);
    __type(key, __u32);
    __type(value, struct block_set);
} block_sets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, BLOCK_REQUESTS);
    __type(key, __u32);
    __type(value, struct block_request);
} block_requests SEC(".maps");

/*
 * What identifies a request: its address, as far as it can be calculated with. The verifier lets nobody
 * calculate with the address itself, but it does with the distance of two.
 */
const volatile __u8 request_origin = 0;

static __always_inline __u64 number_of(struct request* request) {
    return (__u64)request - (__u64)&request_origin;
}

/* A request's place in the table. */
struct block_place {
    __u64* request; /* null: it has none */
    __u32 index;
};

/* Where in the request's set this number is. */
static __always_inline struct block_place find_number(__u64 request, __u64 wanted) {
    struct block_place place = {};
    __u32 set_index = request * 0x9e3779b97f4a7c15ULL >> (64 - BLOCK_SET_BITS); /* Fibonacci hashing */
    struct block_set* set = bpf_map_lookup_elem(&block_sets, &set_index);
    if (!set)
        return place;
#pragma unroll
    for (__u32 way = 0; way < BLOCK_WAYS; way++) {
        if (*(volatile __u64*)&set->requests[way] == wanted) {
            place.request = &set->requests[way];
            place.index = set_index * BLOCK_WAYS + way;
            return place;
        }
    }
    return place;
}

static __always_inline struct block_place find_place(struct request* request) {
    __u64 number = number_of(request);
    return find_number(number, number);
}

/* Null when it has no place, which is so for what nobody watches. */
static __always_inline struct block_request* request_at(const struct block_place* place) {
    return place->request ? bpf_map_lookup_elem(&block_requests, &place->index) : 0;
}

static __always_inline struct block_request* find_request(struct request* request) {
    struct block_place place = find_place(request);
    return request_at(&place);
}

/* The index of a place for this number; BLOCK_REQUESTS when all are taken. */
VERIFIED_ONCE __u32 take_place(__u64 number) {
    for (int attempt = 0; attempt < BLOCK_WAYS; attempt++) {
        struct block_place place = find_number(number, 0);
        if (!place.request)
            break;
        if (!__sync_val_compare_and_swap(place.request, 0, number))
            return place.index;
    }
    count_failure(FAILURE_block_requests_full);
    return BLOCK_REQUESTS;
}

static __always_inline void leave_place(const struct block_place* place) {
    if (place->request)
        *(volatile __u64*)place->request = 0;
}
