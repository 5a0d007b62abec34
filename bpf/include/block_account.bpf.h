/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is kept of requests by container, disk and direction (shared/block.h), and which disk one is for. */
#pragma once

#include "kernel_block.bpf.h"

#include "cast.bpf.h"
#include "failures.bpf.h"
#include "shared/block.h"
#include "shared/time_bucket.h"
#include "tenure.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, struct block_key);
    __type(value, struct block_account);
} block_accounts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct block_disk);
} block_disks SEC(".maps");

static const struct block_account new_account;

static __noinline int remember_disk(__u64 id, struct gendisk* disk) {
    struct block_disk name = {};
    bpf_probe_read_kernel_str(name.name, sizeof(name.name), disk->disk_name);
    if (bpf_map_update_elem(&block_disks, &id, &name, BPF_ANY))
        count_failure(FAILURE_block_accounts_full);
    return 0;
}

static __noinline struct block_account* make_account(const struct block_key* key, struct gendisk* disk) {
    remember_disk(key->series.disk, disk);
    bpf_map_update_elem(&block_accounts, key, &new_account, BPF_NOEXIST);
    struct block_account* account = bpf_map_lookup_elem(&block_accounts, key);
    if (!account)
        count_failure(FAILURE_block_accounts_full);
    return account;
}

static __always_inline struct block_account* find_block_account(const struct block_key* key,
                                                                struct gendisk* disk) {
    struct block_account* account = bpf_map_lookup_elem(&block_accounts, key);
    return account ? account : make_account(key, disk);
}

static __always_inline struct gendisk* disk_of(struct request* request) {
    if (bpf_core_field_exists(request->q->disk))
        return READ_ONLY(struct request, request)->q->disk;
    return ((struct request___before_5_17*)request)->rq_disk;
}

/* Names of up to eight letters never collide, others as good as never: the kernel fills up with zeroes. */
static __always_inline __u64 id_of(struct gendisk* disk) {
    const __u64* name = (const __u64*)disk->disk_name;
    return name[0] * 0x9e3779b97f4a7c15ULL + name[1] * 0xbf58476d1ce4e5b9ULL +
           name[2] * 0x94d049bb133111ebULL + name[3] * 0xd6e8feb86659fd93ULL;
}

static __always_inline void fill_key(struct block_key* key, __u32 slot, struct gendisk* disk,
                                     __u32 direction) {
    key->owner = tenure_of(slot);
    key->series.disk = id_of(disk);
    key->series.direction = direction;
    key->series.reserved = 0;
}

/* Part of a request, or all of it, is done. What an error ends has reached no device. */
static __always_inline void complete(struct request* request, const struct block_request* known, int error,
                                     __u32 bytes, bool done) {
    struct block_account* account = find_block_account(&known->key, disk_of(request));
    if (!account)
        return;
    if (error)
        __sync_fetch_and_add(&account->errors, 1);
    else if (bytes)
        __sync_fetch_and_add(&account->bytes, bytes);
    if (!done)
        return;
    __u64 took = known->issued_ns ? bpf_ktime_get_ns() - known->issued_ns : 0, waited = known->waited_ns;
    __sync_fetch_and_add(&account->device_sum_ns, took);
    __sync_fetch_and_add(&account->device_buckets[time_bucket(took, BLOCK_BUCKETS)], 1);
    if (waited) {
        __sync_fetch_and_add(&account->queue_sum_ns, waited);
        __sync_fetch_and_add(&account->queue_buckets[time_bucket(waited, BLOCK_BUCKETS)], 1);
    }
}
