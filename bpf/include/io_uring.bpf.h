/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of io_uring, from submission to completion. They complete in any thread, so what is known of the
 * one that submitted is kept by the request's address. Those that complete without a word to their ring
 * (IOSQE_CQE_SKIP_SUCCESS) are counted as requests, and nothing is known of their end; nor is it of those
 * that find the ring full, for the kernel tells of them without their address.
 */
#pragma once

#include "io_account.bpf.h"
#include "io_class.bpf.h"
#include "io_requests.bpf.h"
#include "scope.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, __u64);
    __type(value, struct io_request);
} io_requests SEC(".maps");

/* A request that completes many times does so nameless, but for its ring and what its user calls it. */
struct io_multishot_key {
    __u64 ring;
    __u64 user_data;
};

/* What ends unseen stays, until others need the room. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct io_multishot_key);
    __type(value, __u64); /* the request's address */
} io_multishots SEC(".maps");

enum io_moves { IO_MOVES_NONE, IO_MOVES_READ, IO_MOVES_WRITE, IO_MOVES_BOTH };
#define IO_MOVES_ELEMENT(operation, moves) [operation] = moves,
#define IO_URING_MOVES(name, moves) IO_MOVES_ELEMENT(IO_URING_##name, IO_MOVES_##moves)
static const unsigned char io_uring_moves[IO_URING_OPERATIONS] = {
    PLIMSOLL_IO_URING_OPERATIONS(IO_URING_MOVES)};

/* Below IO_URING_OPERATIONS, in a way that older verifiers see, too. */
static __always_inline __u32 uring_operation(struct io_kiocb* request) {
    __u32 operation = READ(struct io_kiocb, request, opcode);
    if (operation > IO_URING_OTHER)
        operation = IO_URING_OTHER;
    barrier_var(operation);
    return operation & (IO_URING_OPERATIONS - 1);
}

static __always_inline bool is_multishot(struct io_kiocb* request, __u32 operation) {
    if (operation == IO_URING_read_multishot)
        return true;
    return (operation == IO_URING_recv || operation == IO_URING_recvmsg || operation == IO_URING_recv_zc) &&
           bpf_core_field_exists(struct io_sr_msg, flags) &&
           READ(struct io_sr_msg, request, flags) & IORING_RECV_MULTISHOT;
}

/* The end that splice and tee read from, which the request gives back before it completes. */
static __always_inline __u32 class_of_input(struct task_struct* task, struct io_kiocb* request) {
    if (!bpf_core_type_exists(struct io_splice) ||
        READ(struct io_splice, request, flags) & SPLICE_F_FD_IN_FIXED)
        return IO_CLASS_OTHER;
    return class_of_file(find_file(task, READ(struct io_splice, request, splice_fd_in)));
}

static __always_inline void remember_multishot(struct io_kiocb* request, __u64 ring) {
    struct io_multishot_key key = {ring, READ(struct io_kiocb, request, cqe.user_data)};
    __u64 address = (__u64)request;
    if (bpf_map_update_elem(&io_multishots, &key, &address, BPF_ANY))
        count_failure(FAILURE_io_requests_full);
}

/* The thread that submits runs; for SQPOLL that is the ring's own, which belongs where the ring was made. */
static __always_inline int submit_request(struct io_kiocb* request) {
    struct task_struct* task = bpf_get_current_task_btf();
    __u32 slot = slot_by_record(task), operation = uring_operation(request);
    struct io_request_account* account = slot ? find_request_account(slot) : 0;
    if (!account)
        return 0;
    __sync_fetch_and_add(&account->uring_requests[operation], 1);
    if (request->flags & REQ_F_CQE_SKIP)
        return 0;
    struct io_request record = {.slot = slot, .operation = operation};
    if (io_uring_moves[operation] == IO_MOVES_BOTH)
        record.from_class = class_of_input(task, request);
    if (is_multishot(request, operation)) {
        record.multishot = 1;
        remember_multishot(request, (__u64)request->ctx);
    }
    record.since_ns = bpf_ktime_get_boot_ns();
    __u64 address = (__u64)request;
    if (bpf_map_update_elem(&io_requests, &address, &record, BPF_ANY))
        count_failure(FAILURE_io_requests_full);
    return 0;
}

static __always_inline int punt_request(struct io_kiocb* request) {
    __u32 slot = slot_of_current();
    struct io_request_account* account = slot ? find_request_account(slot) : 0;
    if (account)
        __sync_fetch_and_add(&account->uring_punted[uring_operation(request)], 1);
    return 0;
}

static __always_inline void book_request(__u64 address, struct io_request* record,
                                         struct io_outcome outcome) {
    __u32 moves = io_uring_moves[record->operation & (IO_URING_OPERATIONS - 1)];
    if (moves == IO_MOVES_NONE)
        return;
    __u32 io_class = class_of_file((__u64)READ(struct io_kiocb, address, file));
    if (moves == IO_MOVES_READ) {
        book(record->slot, IO_CELL(io_class, IO_DIRECTION_READ), outcome);
        return;
    }
    book(record->slot, IO_CELL(io_class, IO_DIRECTION_WRITE), outcome);
    if (moves == IO_MOVES_BOTH)
        book(record->slot, IO_CELL(record->from_class, IO_DIRECTION_READ), outcome);
}

/* One of many completions of a request that goes on. */
static __noinline int complete_part(__u64 ring, __u64 user_data, __s32 result) {
    struct io_multishot_key key = {ring, user_data};
    __u64* address = bpf_map_lookup_elem(&io_multishots, &key);
    struct io_request* record = address ? bpf_map_lookup_elem(&io_requests, address) : 0;
    if (record)
        book_request(*address, record, (struct io_outcome){.result = result});
    return 0;
}

static __noinline int complete_request(__u64 ring, __u64 address, __s32 result) {
    struct io_request* found = bpf_map_lookup_elem(&io_requests, &address);
    if (!found)
        return 0;
    struct io_request record = *found;
    bpf_map_delete_elem(&io_requests, &address);
    /* Of a request that completed unseen, at an address that the kernel has used again for one of its own. */
    if (uring_operation((struct io_kiocb*)address) != record.operation)
        return 0;
    struct io_outcome outcome = {.result = result};
    if (record.multishot) {
        struct io_multishot_key key = {ring, READ(struct io_kiocb, address, cqe.user_data)};
        bpf_map_delete_elem(&io_multishots, &key);
    } else {
        outcome.ns = bpf_ktime_get_boot_ns() - record.since_ns;
        struct io_request_account* account = find_request_account(record.slot);
        if (account && io_latency) {
            __sync_fetch_and_add(&account->uring_time.sum_ns, outcome.ns);
            __sync_fetch_and_add(&account->uring_time.buckets[time_bucket(outcome.ns, IO_TIME_BUCKETS)], 1);
        }
    }
    book_request(address, &record, outcome);
    return 0;
}
