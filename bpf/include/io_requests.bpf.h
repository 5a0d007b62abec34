/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What io_uring and AIO requests are counted in. */
#pragma once

#include "accounts.bpf.h"
#include "shared/io_requests.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, struct io_request_account);
} io_request_accounts SEC(".maps");

static __always_inline struct io_request_account* find_request_account(__u32 slot) {
    struct io_request_account* account = bpf_map_lookup_elem(&io_request_accounts, &slot);
    if (!account)
        count_failure(FAILURE_account_missing);
    return account;
}
