/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fixed-width types and the size promise for records that cross the border; the same on both sides. */
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
#define PLIMSOLL_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size))
#else
#define PLIMSOLL_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
