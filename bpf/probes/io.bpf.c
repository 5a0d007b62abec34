/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls that read and write, by kind of file and direction: bytes, operations, errors, times. These hooks see
 * every system call of the machine, so what is not ours must leave at the first look.
 */
#include "calls.bpf.h"
#include "io_account.bpf.h"
#include "io_aio.bpf.h"
#include "io_calls.bpf.h"
#include "io_class.bpf.h"
#include "io_uring.bpf.h"
#include "scope.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 io_attached_ns = 0; /* a beginning before this is of a call whose end was not seen */

#define MMSGHDR_SIZE 64   /* struct mmsghdr of user space … */
#define MMSGHDR_LENGTH 56 /* … and where its msg_len is */

/* The cells that a call counts for; most have one end only. */
struct io_ends {
    __u32 first, second;
};

static __always_inline __u32 cell_of(struct task_struct* task, __u32 descriptor, __u32 direction) {
    return opaque(IO_CELL(class_of_file(find_file(task, descriptor)), direction));
}

static __always_inline struct io_ends find_pair(struct task_struct* task, __u32 from, __u32 to) {
    return (struct io_ends){cell_of(task, from, IO_DIRECTION_READ), cell_of(task, to, IO_DIRECTION_WRITE)};
}

static __noinline __u64 find_rare_ends(struct task_struct* task, struct pt_regs* registers, __u32 call) {
    __u32 first = call_argument(registers, 0);
    struct io_ends ends = {IO_NO_CELL, IO_NO_CELL};
    if (call == IO_CALL_SENDFILE) {
        ends = find_pair(task, call_argument(registers, 1), first);
    } else if (call == IO_CALL_VMSPLICE) {
        __u64 file = find_file(task, first);
        bool writes = READ(struct file___mode, file, f_mode) & FMODE_WRITE;
        ends.first = IO_CELL(class_of_file(file), writes ? IO_DIRECTION_WRITE : IO_DIRECTION_READ);
    } else {
        ends = find_pair(task, first, call_argument(registers, call == IO_CALL_TEE ? 1 : 2));
    }
    return ends.first | (__u64)ends.second << 32;
}

static __always_inline struct io_ends find_ends(struct task_struct* task, struct pt_regs* registers,
                                                __u32 call) {
    if (call >= IO_CALL_SENDFILE) {
        __u64 packed = find_rare_ends(task, registers, call);
        return (struct io_ends){packed, packed >> 32};
    }
    bool reads = call == IO_CALL_READ || call == IO_CALL_RECV_MESSAGES;
    return (struct io_ends){cell_of(task, call_argument(registers, 0), !reads), IO_NO_CELL};
}

struct message_sum {
    __u64 address;
    __u64 bytes;
};

static long add_message(__u32 index, struct message_sum* sum) {
    __u64 length =
        0; /* wider than it is: a sum of which the verifier knows bounds would be a new one each time */
    const void* address = (const void*)(sum->address + (__u64)index * MMSGHDR_SIZE + MMSGHDR_LENGTH);
    if (bpf_probe_read_user(&length, sizeof(__u32), address))
        count_failure(FAILURE_io_call_unreadable);
    sum->bytes += length;
    return 0;
}

/* The kernel has just written the lengths of as many messages as the call returned. */
static __noinline __u64 sum_messages(struct pt_regs* registers, __u32 messages) {
    struct message_sum sum = {.address = call_argument(registers, 1)};
    bpf_loop(messages, add_message, &sum, 0);
    return sum.bytes;
}

/*
 * The file is looked up when the call begins: when it ends, the descriptor may be closed, or be another file.
 */
static __always_inline int begin_call(struct pt_regs* registers, __u32 call) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct task_state* thread = find_thread(task);
    if (!thread || !slot_of_thread(task, thread) || IS_COMPAT(task) || call >= IO_CALL_AIO)
        return 0;
    struct io_ends ends = find_ends(task, registers, call);
    thread->io_cells[0] = ends.first;
    thread->io_cells[1] = ends.second;
    thread->io_since_ns = bpf_ktime_get_boot_ns();
    return 0;
}

/* The ends of the call that ends now, and since when it went on (0: it began unseen). */
static __always_inline struct io_ends recall(struct task_struct* task, struct task_state* thread,
                                             struct pt_regs* registers, __u32 call, __u64* since) {
    *since = 0;
    if (io_latency && thread->io_since_ns > io_attached_ns) {
        *since = thread->io_since_ns;
        thread->io_since_ns = 0;
        return (struct io_ends){thread->io_cells[0], thread->io_cells[1]};
    }
    return find_ends(task, registers, call);
}

static __always_inline int end_call(struct pt_regs* registers, __u32 call, __s64 result) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct task_state* thread = find_thread(task);
    if (!thread)
        return 0;
    __u32 slot = slot_of_thread(task, thread);
    if (!slot || IS_COMPAT(task))
        return 0;
    if (call >= IO_CALL_AIO)
        return result > 0 ? end_aio_call(registers, slot, call == IO_CALL_AIO_SUBMIT, result) : 0;
    __u64 since;
    struct io_ends ends = recall(task, thread, registers, call, &since);
    struct io_outcome outcome = {.result = result, .ns = since ? bpf_ktime_get_boot_ns() - since : 0};
    if (result > 0 && (call == IO_CALL_RECV_MESSAGES || call == IO_CALL_SEND_MESSAGES))
        outcome.result = sum_messages(registers, result);
    book(slot, ends.first, outcome);
    if (ends.second != IO_NO_CELL)
        book(slot, ends.second, outcome);
    return 0;
}

#include "io_fentry.bpf.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs* registers, long number) {
    __u32 call = io_call_of(number);
    return call ? begin_call(registers, call) : 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs* registers, long result) {
    __u32 call = io_call_of(call_number(registers));
    return call ? end_call(registers, call, result) : 0;
}

/* Two names of one hook: the first since 6.2. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit, struct io_kiocb* request) {
    return submit_request(request);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_sqe, struct io_kiocb* request) {
    return submit_request(request);
}

SEC("tp_btf/io_uring_queue_async_work")
int BPF_PROG(on_uring_punt, struct io_kiocb* request) {
    return punt_request(request);
}

/* What completes is in the entry of the ring, since 6.13 or so; before, it is in the arguments themselves. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete, void* ring, void* request, struct io_uring_cqe* entry) {
    return request ? complete_request((__u64)ring, (__u64)request, entry->res)
                   : complete_part((__u64)ring, entry->user_data, entry->res);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_values, void* ring, void* request, __u64 user_data, int result) {
    return request ? complete_request((__u64)ring, (__u64)request, result)
                   : complete_part((__u64)ring, user_data, result);
}
