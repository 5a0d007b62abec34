/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of the event channel: rare things. Each starts with event_header; a reader checks size and kind. */
#pragma once

#include "types.h"

/* The names are the values of label `kind` of plimsoll_events_total. */
#define PLIMSOLL_EVENT_KINDS(X)                                                       \
    X(cgroup_birth) /* cgroup_event */                                                \
    X(cgroup_death) /* cgroup_event, no path */                                       \
    X(moved)        /* event_header: a process with several threads changed cgroup */ \
    X(exec)         /* process_event */                                               \
    X(exit)         /* process_event */                                               \
    X(oom_kill)     /* process_event */                                               \
    X(connection)   /* connection_event: a cgroup's first to an address of a rule */
#define PLIMSOLL_EVENT_ENUM(name) EVENT_##name,
enum plimsoll_event_kind { PLIMSOLL_EVENT_KINDS(PLIMSOLL_EVENT_ENUM) EVENT_KINDS };

struct event_header {
    __u32 kind;
    __u32 slot;      /* slot of the cgroup or process at that moment, 0: none */
    __u64 ts_ns;     /* CLOCK_BOOTTIME */
    __u64 cgroup_id; /* the cgroup's directory's inode; 0 where it does not matter */
};
PLIMSOLL_ASSERT_SIZE(struct event_header, 24);

#define EVENT_PATH_MAX 1024 /* the tracepoint's own limit (TRACE_CGROUP_PATH_LEN) */
struct cgroup_event {
    struct event_header header;
    __u64 parent_id;
    __u32 path_size; /* bytes of path that follow, without a NUL; EVENT_PATH_MAX - 1: may be cut */
    __u32 reserved;
    char path[EVENT_PATH_MAX];
};
PLIMSOLL_ASSERT_SIZE(struct cgroup_event, 1064);

struct process_event {
    struct event_header header;
    __u32 tgid;
    __u32 exit_code; /* as wait(2) reports it; exits only */
    __u64 lifetime_ns;
    char comm[16];
};
PLIMSOLL_ASSERT_SIZE(struct process_event, 56);

struct connection_event {
    struct event_header header; /* slot: the cgroup's, which it may have got only now */
    __u32 target;               /* the address's number, see struct connection_target */
    __u32 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct connection_event, 32);
