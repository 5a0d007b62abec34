/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * AIO (io_submit, io_getevents): there is no tracepoint in it, so both are seen when their calls return, and
 * what a request was is read from the program's own control block, which it keeps until it has collected the
 * result. Results that a program takes from the ring in its own memory are not seen.
 */
#pragma once

#include "io_account.bpf.h"
#include "io_class.bpf.h"
#include "io_requests.bpf.h"

/* struct iocb and struct io_event of linux/aio_abi.h: the same on all 64-bit machines. */
struct aio_request {
    __u16 operation;
    __u16 priority;
    __u32 descriptor;
};
#define AIO_REQUEST_OFFSET 16
struct aio_event {
    __u64 data;
    __u64 request; /* the control block's address */
    __s64 result;
    __s64 result2;
};

struct aio_walk {
    __u64 array; /* in user space */
    __u32 slot;
};

static __always_inline bool read_user(void* target, __u32 size, __u64 address) {
    if (!bpf_probe_read_user(target, size, (const void*)address))
        return true;
    count_failure(FAILURE_io_call_unreadable);
    return false;
}

static __always_inline __u32 class_of_request(const struct aio_request* request) {
    return class_of_file(find_file(bpf_get_current_task_btf(), request->descriptor));
}

static long count_submission(__u32 index, struct aio_walk* walk) {
    __u64 address = 0;
    struct aio_request request = {};
    struct io_request_account* account = find_request_account(walk->slot);
    if (!account || !read_user(&address, sizeof(address), walk->array + (__u64)index * sizeof(address)) ||
        !read_user(&request, sizeof(request), address + AIO_REQUEST_OFFSET))
        return 0;
    __u32 operation = request.operation, io_class = class_of_request(&request);
    if (operation < AIO_OPERATIONS && io_class < IO_CLASSES)
        __sync_fetch_and_add(&account->aio_submissions[operation][io_class], 1);
    return 0;
}

static long count_completion(__u32 index, struct aio_walk* walk) {
    struct aio_event event = {};
    struct aio_request request = {};
    if (!read_user(&event, sizeof(event), walk->array + (__u64)index * sizeof(event)) ||
        !read_user(&request, sizeof(request), event.request + AIO_REQUEST_OFFSET))
        return 0;
    __u32 direction;
    switch (request.operation) {
        case AIO_pread:
        case AIO_preadv:
            direction = IO_DIRECTION_READ;
            break;
        case AIO_pwrite:
        case AIO_pwritev:
            direction = IO_DIRECTION_WRITE;
            break;
        default:
            return 0;
    }
    book(walk->slot, IO_CELL(class_of_request(&request), direction),
         (struct io_outcome){.result = event.result});
    return 0;
}

/* `count`: how many requests the call took, or results it gave. */
static __noinline int end_aio_call(struct pt_regs* registers, __u32 slot, __u32 submits, __u32 count) {
    struct aio_walk walk = {.array = call_argument(registers, submits ? 2 : 3), .slot = slot};
    if (submits)
        bpf_loop(count, count_submission, &walk, 0);
    else
        bpf_loop(count, count_completion, &walk, 0);
    return 0;
}
