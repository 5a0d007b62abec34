/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who holds a slot. A slot serves one container after another; accounts whose set depends on what happens (by
 * device, by peer) carry the tenure in their key, so that what is booked late never reaches the next holder.
 */
#pragma once

#include "types.h"

struct tenure {
    __u32 slot;
    __u32 number; /* how often the slot has changed hands */
};
PLIMSOLL_ASSERT_SIZE(struct tenure, 8);
