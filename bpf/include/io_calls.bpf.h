/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which system calls the io probe counts, and how. */
#pragma once

#include "shared/syscalls.h"

enum io_call {
    IO_CALL_NONE,
    IO_CALL_READ,          /* from the descriptor in argument 0; the result is the bytes */
    IO_CALL_WRITE,         /* to it */
    IO_CALL_RECV_MESSAGES, /* the same with an array of messages in argument 1: the result is their number */
    IO_CALL_SEND_MESSAGES,
    IO_CALL_SENDFILE, /* to argument 0 from argument 1 */
    IO_CALL_SPLICE,   /* from argument 0 to argument 2 */
    IO_CALL_TEE,      /* from argument 0 to argument 1 */
    IO_CALL_VMSPLICE, /* to or from the pipe in argument 0, whichever end of it that is */
    IO_CALL_AIO,      /* from here on: the result is the number of requests */
    IO_CALL_AIO_SUBMIT = IO_CALL_AIO,
    IO_CALL_AIO_REAP,
};

#if defined(__TARGET_ARCH_x86)
#define IO_CALL_NUMBER(name, x86_64, arm64, call_class, fd) NUMBER_##name = x86_64,
#elif defined(__TARGET_ARCH_arm64)
#define IO_CALL_NUMBER(name, x86_64, arm64, call_class, fd) NUMBER_##name = arm64,
#endif
enum { PLIMSOLL_SYSCALLS(IO_CALL_NUMBER) };

/* clang-format off */
/* X(name, the kernel's function for it, call) */
#define IO_CALLS(X)                                                                                   \
    X(read, read, READ) X(pread64, pread64, READ) X(readv, readv, READ) X(preadv, preadv, READ)       \
    X(preadv2, preadv2, READ) X(recvfrom, recvfrom, READ) X(recvmsg, recvmsg, READ)                   \
    X(recvmmsg, recvmmsg, RECV_MESSAGES)                                                              \
    X(write, write, WRITE) X(pwrite64, pwrite64, WRITE) X(writev, writev, WRITE)                      \
    X(pwritev, pwritev, WRITE) X(pwritev2, pwritev2, WRITE) X(sendto, sendto, WRITE)                  \
    X(sendmsg, sendmsg, WRITE) X(sendmmsg, sendmmsg, SEND_MESSAGES)                                   \
    X(sendfile, sendfile64, SENDFILE) X(splice, splice, SPLICE)                                       \
    X(copy_file_range, copy_file_range, SPLICE) X(tee, tee, TEE) X(vmsplice, vmsplice, VMSPLICE)      \
    X(io_submit, io_submit, AIO_SUBMIT) X(io_getevents, io_getevents, AIO_REAP)                       \
    X(io_pgetevents, io_pgetevents, AIO_REAP)
/* clang-format on */

#define IO_CALL_ELEMENT(number, call) [number] = call,
#define IO_CALL_ROW(name, function, call) IO_CALL_ELEMENT(NUMBER_##name, IO_CALL_##call)
static const unsigned char io_calls[PLIMSOLL_SYSCALL_LIMIT] = {IO_CALLS(IO_CALL_ROW)};

/* How a call of this number counts; IO_CALL_NONE for most. Nothing else is asked before this. */
static __always_inline __u32 io_call_of(__u64 number) {
    return number < PLIMSOLL_SYSCALL_LIMIT ? io_calls[number & (PLIMSOLL_SYSCALL_LIMIT - 1)] : IO_CALL_NONE;
}
