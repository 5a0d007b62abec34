/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The io probe's records of requests that complete later: io_uring and AIO. */
#pragma once

#include "io.h"

/*
 * The operations of io_uring, in the order of their numbers; the names are the values of label `operation`.
 * The second column says what the result of one is: bytes read or written, both (splice, tee), or something
 * else. Numbers beyond the list are operation="other".
 */
/* clang-format off */
#define PLIMSOLL_IO_URING_OPERATIONS(X)                                                               \
    X(nop, NONE) X(readv, READ) X(writev, WRITE) X(fsync, NONE) X(read_fixed, READ)                   \
    X(write_fixed, WRITE) X(poll_add, NONE) X(poll_remove, NONE) X(sync_file_range, NONE)             \
    X(sendmsg, WRITE) X(recvmsg, READ) X(timeout, NONE) X(timeout_remove, NONE) X(accept, NONE)       \
    X(async_cancel, NONE) X(link_timeout, NONE) X(connect, NONE) X(fallocate, NONE) X(openat, NONE)   \
    X(close, NONE) X(files_update, NONE) X(statx, NONE) X(read, READ) X(write, WRITE)                 \
    X(fadvise, NONE) X(madvise, NONE) X(send, WRITE) X(recv, READ) X(openat2, NONE)                   \
    X(epoll_ctl, NONE) X(splice, BOTH) X(provide_buffers, NONE) X(remove_buffers, NONE)               \
    X(tee, BOTH) X(shutdown, NONE) X(renameat, NONE) X(unlinkat, NONE) X(mkdirat, NONE)               \
    X(symlinkat, NONE) X(linkat, NONE) X(msg_ring, NONE) X(fsetxattr, NONE) X(setxattr, NONE)         \
    X(fgetxattr, NONE) X(getxattr, NONE) X(socket, NONE) X(uring_cmd, NONE) X(send_zc, WRITE)         \
    X(sendmsg_zc, WRITE) X(read_multishot, READ) X(waitid, NONE) X(futex_wait, NONE)                  \
    X(futex_wake, NONE) X(futex_waitv, NONE) X(fixed_fd_install, NONE) X(ftruncate, NONE)             \
    X(bind, NONE) X(listen, NONE) X(recv_zc, READ) X(epoll_wait, NONE) X(readv_fixed, READ)           \
    X(writev_fixed, WRITE) X(pipe, NONE)
/* clang-format on */

#define PLIMSOLL_IO_URING_ENUM(name, moves) IO_URING_##name,
enum plimsoll_io_uring_operation {
    PLIMSOLL_IO_URING_OPERATIONS(PLIMSOLL_IO_URING_ENUM) IO_URING_OTHER, /* 63 */
    IO_URING_OPERATIONS
};

/* The operations of AIO, by the numbers of enum in linux/aio_abi.h. */
#define PLIMSOLL_AIO_OPERATIONS(X) \
    X(pread, 0) X(pwrite, 1) X(fsync, 2) X(fdsync, 3) X(poll, 5) X(noop, 6) X(preadv, 7) X(pwritev, 8)
#define PLIMSOLL_AIO_ENUM(name, number) AIO_##name = number,
enum plimsoll_aio_operation { PLIMSOLL_AIO_OPERATIONS(PLIMSOLL_AIO_ENUM) AIO_OPERATIONS = 9 };

/* One per slot, written with atomics: a request costs the kernel far more than they do. */
struct io_request_account {
    __u64 uring_requests[IO_URING_OPERATIONS];
    __u64 uring_punted[IO_URING_OPERATIONS];
    struct io_time uring_time;
    __u64 aio_submissions[AIO_OPERATIONS][IO_CLASSES];
};
PLIMSOLL_ASSERT_SIZE(struct io_request_account, 1816);

/* A request of io_uring that has not completed, by its address in the kernel. */
struct io_request {
    __u64 since_ns; /* CLOCK_BOOTTIME */
    __u32 slot;
    __u8 operation;
    __u8 from_class; /* of the end that splice and tee read from */
    __u8 multishot;  /* completes many times, known by its ring and its user's data */
    __u8 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct io_request, 16);
