/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every system call of x86-64 and arm64 in which a thread can wait for something that has a name, and what it
 * waits for. Numbers are written out, because kernel programs are compiled without asm/unistd.h; a unit test
 * holds them against the kernel's own headers of both architectures, and docs/thread-states.md against this
 * table.
 *
 * Compare with PLIMSOLL_SYSCALL_LIMIT before indexing (x32 sets bit 30 of the number), and never look up the
 * call of a 32-bit program here: its numbers mean other calls.
 */
#pragma once

/*
 * What a wait in a call means. A call's class says what it waits for when it does what it is there for;
 * kernel locks met on the way (uninterruptible, no name) are not worth an entry, so calls that can only meet
 * those are absent.
 */
enum plimsoll_call_class {
    CALL_NONE,     /* not in the table: other, and blocked when uninterruptible */
    CALL_FUTEX,    /* futex */
    CALL_POLL,     /* poll, on an array of descriptors */
    CALL_SELECT,   /* poll, on sets of bits */
    CALL_EPOLL,    /* poll, on an epoll instance */
    CALL_SLEEP,    /* sleep */
    CALL_CHILD,    /* child */
    CALL_IO_URING, /* io_uring, even with in_iowait: an idle ring sets it */
    CALL_DISK,     /* disk, also without in_iowait: waiting for a journal commit does not set it */
    CALL_FD,       /* the kind of file behind the descriptor that is the first argument decides */
    CALL_FORK,     /* child while killable (a vfork waits for its child's exec or exit), else as CALL_NONE */
    CALL_RESTART,  /* what the thread waited for before a stop or a signal interrupted it */
    CALL_OTHER,    /* known to wait for what has no state of its own; ends as CALL_NONE does */
};

struct plimsoll_call {
    unsigned char call_class;
    unsigned char writes; /* CALL_FD: 1 when it waits for room to write, or for a connection; otherwise 0 */
};

#ifdef __cplusplus
static_assert(sizeof(plimsoll_call) == 2);
#else
_Static_assert(sizeof(struct plimsoll_call) == 2, "two bytes per call: the table is 1 KiB");
#endif

/* Size of a table by number on either architecture: Linux 6.18 ends at 469. */
enum { PLIMSOLL_SYSCALL_LIMIT = 512 };

/* One element of `struct plimsoll_call calls[PLIMSOLL_SYSCALL_LIMIT] = {PLIMSOLL_SYSCALLS(ROW)}`. */
#define PLIMSOLL_SYSCALL_ROW_X86_64(name, x86_64, arm64, call_class, writes) [x86_64] = {call_class, writes},
#define PLIMSOLL_SYSCALL_ROW_ARM64(name, x86_64, arm64, call_class, writes) [arm64] = {call_class, writes},

/* clang-format off */

/* X(name, x86-64 number, arm64 number, class, whether it writes) */
#define PLIMSOLL_SYSCALLS_COMMON(X)                                                                          \
    X(futex,             202,  98, CALL_FUTEX,    0)                                                         \
    X(futex_waitv,       449, 449, CALL_FUTEX,    0)                                                         \
    X(futex_wait,        455, 455, CALL_FUTEX,    0)                                                         \
    X(ppoll,             271,  73, CALL_POLL,     0)                                                         \
    X(pselect6,          270,  72, CALL_SELECT,   0)                                                         \
    X(epoll_pwait,       281,  22, CALL_EPOLL,    0)                                                         \
    X(epoll_pwait2,      441, 441, CALL_EPOLL,    0)                                                         \
    X(nanosleep,          35, 101, CALL_SLEEP,    0)                                                         \
    X(clock_nanosleep,   230, 115, CALL_SLEEP,    0)                                                         \
    X(wait4,              61, 260, CALL_CHILD,    0)                                                         \
    X(waitid,            247,  95, CALL_CHILD,    0)                                                         \
    /* io_uring_register waits too: for requests that it cancels, or for a ring to come to rest */           \
    X(io_uring_enter,    426, 426, CALL_IO_URING, 0)                                                         \
    X(io_uring_register, 427, 427, CALL_IO_URING, 0)                                                         \
    /* calls that exist to do or await storage work; io_destroy waits for what is still under way */         \
    X(fsync,              74,  82, CALL_DISK,     0)                                                         \
    X(fdatasync,          75,  83, CALL_DISK,     0)                                                         \
    X(sync,              162,  81, CALL_DISK,     0)                                                         \
    X(syncfs,            306, 267, CALL_DISK,     0)                                                         \
    X(sync_file_range,   277,  84, CALL_DISK,     0)                                                         \
    X(msync,              26, 227, CALL_DISK,     0)                                                         \
    X(io_submit,         209,   2, CALL_DISK,     0)                                                         \
    X(io_getevents,      208,   4, CALL_DISK,     0)                                                         \
    X(io_pgetevents,     333, 292, CALL_DISK,     0)                                                         \
    X(io_destroy,        207,   1, CALL_DISK,     0)                                                         \
    X(read,                0,  63, CALL_FD,       0)                                                         \
    X(write,               1,  64, CALL_FD,       1)                                                         \
    X(pread64,            17,  67, CALL_FD,       0)                                                         \
    X(pwrite64,           18,  68, CALL_FD,       1)                                                         \
    X(readv,              19,  65, CALL_FD,       0)                                                         \
    X(writev,             20,  66, CALL_FD,       1)                                                         \
    X(preadv,            295,  69, CALL_FD,       0)                                                         \
    X(pwritev,           296,  70, CALL_FD,       1)                                                         \
    X(preadv2,           327, 286, CALL_FD,       0)                                                         \
    X(pwritev2,          328, 287, CALL_FD,       1)                                                         \
    X(getdents64,        217,  61, CALL_FD,       0)                                                         \
    X(ioctl,              16,  29, CALL_FD,       0)                                                         \
    X(connect,            42, 203, CALL_FD,       1)                                                         \
    X(accept,             43, 202, CALL_FD,       0)                                                         \
    X(accept4,           288, 242, CALL_FD,       0)                                                         \
    X(sendto,             44, 206, CALL_FD,       1)                                                         \
    X(recvfrom,           45, 207, CALL_FD,       0)                                                         \
    X(sendmsg,            46, 211, CALL_FD,       1)                                                         \
    X(recvmsg,            47, 212, CALL_FD,       0)                                                         \
    X(sendmmsg,          307, 269, CALL_FD,       1)                                                         \
    X(recvmmsg,          299, 243, CALL_FD,       0)                                                         \
    X(shutdown,           48, 210, CALL_FD,       1)                                                         \
    /* two descriptors: sendfile waits for its output (reading its input sets in_iowait); splice for either  \
       end, which its arguments do not tell: the input is the better guess; copy_file_range for files */     \
    X(sendfile,           40,  71, CALL_FD,       1)                                                         \
    X(splice,            275,  76, CALL_FD,       0)                                                         \
    X(tee,               276,  77, CALL_FD,       0)                                                         \
    X(vmsplice,          278,  75, CALL_FD,       1)                                                         \
    X(copy_file_range,   326, 285, CALL_FD,       0)                                                         \
    X(clone,              56, 220, CALL_FORK,     0)                                                         \
    X(clone3,            435, 435, CALL_FORK,     0)                                                         \
    X(restart_syscall,   219, 128, CALL_RESTART,  0)                                                         \
    /* signals, messages, semaphores */                                                                      \
    X(rt_sigsuspend,     130, 133, CALL_OTHER,    0)                                                         \
    X(rt_sigtimedwait,   128, 137, CALL_OTHER,    0)                                                         \
    X(msgsnd,             69, 189, CALL_OTHER,    0)                                                         \
    X(msgrcv,             70, 188, CALL_OTHER,    0)                                                         \
    X(semop,              65, 193, CALL_OTHER,    0)                                                         \
    X(semtimedop,        220, 192, CALL_OTHER,    0)                                                         \
    X(mq_timedsend,      242, 182, CALL_OTHER,    0)                                                         \
    X(mq_timedreceive,   243, 183, CALL_OTHER,    0)                                                         \
    /* locks and leases on files; opening a FIFO waits for its other end, before there is a descriptor */    \
    X(flock,              73,  32, CALL_OTHER,    0)                                                         \
    X(fcntl,              72,  25, CALL_OTHER,    0)                                                         \
    X(openat,            257,  56, CALL_OTHER,    0)                                                         \
    X(openat2,           437, 437, CALL_OTHER,    0)                                                         \
    X(open_by_handle_at, 304, 265, CALL_OTHER,    0)                                                         \
    X(truncate,           76,  45, CALL_OTHER,    0)                                                         \
    /* closing can linger, but the descriptor is already free and may belong to another file by now */       \
    X(close,               3,  57, CALL_OTHER,    0)                                                         \
    X(close_range,       436, 436, CALL_OTHER,    0)                                                         \
    X(dup3,              292,  24, CALL_OTHER,    0)                                                         \
    X(exit,               60,  93, CALL_OTHER,    0)                                                         \
    X(exit_group,        231,  94, CALL_OTHER,    0)                                                         \
    /* entropy, the kernel log, a key under construction, a module that someone else is loading */           \
    X(getrandom,         318, 278, CALL_OTHER,    0)                                                         \
    X(syslog,            103, 116, CALL_OTHER,    0)                                                         \
    X(request_key,       249, 218, CALL_OTHER,    0)                                                         \
    X(keyctl,            250, 219, CALL_OTHER,    0)                                                         \
    X(init_module,       175, 105, CALL_OTHER,    0)                                                         \
    X(finit_module,      313, 273, CALL_OTHER,    0)

/* What arm64 never had: its programs use the newer forms above. */
#define PLIMSOLL_SYSCALLS_X86_64_ONLY(X)                                                                     \
    X(poll,                7,  -1, CALL_POLL,     0)                                                         \
    X(select,             23,  -1, CALL_SELECT,   0)                                                         \
    X(epoll_wait,        232,  -1, CALL_EPOLL,    0)                                                         \
    X(getdents,           78,  -1, CALL_FD,       0)                                                         \
    X(vfork,              58,  -1, CALL_FORK,     0)                                                         \
    X(pause,              34,  -1, CALL_OTHER,    0)                                                         \
    X(open,                2,  -1, CALL_OTHER,    0)                                                         \
    X(creat,              85,  -1, CALL_OTHER,    0)                                                         \
    X(dup2,               33,  -1, CALL_OTHER,    0)

#ifdef __TARGET_ARCH_arm64 /* a row with -1 has no place in a table by number: here it vanishes */
#define PLIMSOLL_SYSCALLS(X) PLIMSOLL_SYSCALLS_COMMON(X)
#else
#define PLIMSOLL_SYSCALLS(X) PLIMSOLL_SYSCALLS_COMMON(X) PLIMSOLL_SYSCALLS_X86_64_ONLY(X)
#endif
/* clang-format on */
