/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rules with connects_to: the addresses, and who met them. */
#pragma once

#include "types.h"

/*
 * An address of a rule, or where a connection goes. IPv4 as IPv6 writes it (::ffff:10.0.0.5); any address is
 * ::, which nobody is connected to. The daemon numbers the addresses of its rules.
 */
struct connection_target {
    __u8 address[16];
    __u16 port; /* network byte order, as the kernel has it */
    __u16 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct connection_target, 20);

/* A cgroup that connected to the address of this number. */
struct connection_meeting {
    __u64 cgroup_id;
    __u32 target;
    __u32 reserved;
};
PLIMSOLL_ASSERT_SIZE(struct connection_meeting, 16);
