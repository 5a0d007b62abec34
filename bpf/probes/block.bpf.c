/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What reached the block devices. A request gets its container when it is made; from then on the table of
 * requests knows it, and what is not in there is nobody's: requests of unwatched cgroups, and those that were
 * made before the agent started.
 */
#include "kernel_block.bpf.h"

#include "block_requests.bpf.h"
#include "scope.bpf.h"
#include "shared/time_bucket.h"
#include "tenure.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool by_blkcg = true;    /* block cgroups are in the hierarchy that identifies containers */
const volatile __s32 blkcg_index = 0;   /* of their controller, from BTF */
const volatile bool tells_birth = true; /* block_io_start tells when a request is made (6.5) */

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

/*
 * The present thread's slot, as it carries it; threads that no container claims carry nothing, which is the
 * cheapest question there is. The other threads of a process that has just been moved are told a moment
 * later.
 */
static __always_inline __u32 slot_of_submitter(struct task_struct* thread) {
    if (!thread->bpf_storage)
        return SLOT_NONE;
    struct task_state* state = bpf_task_storage_get(&tasks, thread, 0, 0);
    __u64 word = state ? *(volatile __u64*)&state->word : 0;
    return state && word_generation(word) != current_generation() ? slot_of_task(thread) : word_slot(word);
}

/*
 * Whose a bio is. The kernel says it by the bio's block cgroup, also for pages that it writes back long after
 * a thread dirtied them. Where the controller is not enabled for the container, that cgroup is one further
 * up: if it is the submitter's own all the same, the submitter's container is meant. On v1 the kernel's
 * answer is in terms of a hierarchy that says nothing about containers: there it is always the submitter.
 * `submitting`: the present thread is the one that makes the request.
 */
static __always_inline __u32 slot_of_bio(struct bio* bio, bool submitting) {
    struct task_struct* thread = bpf_get_current_task_btf();
    if (!by_blkcg || !bpf_core_field_exists(bio->bi_blkg))
        return submitting ? slot_of_submitter(thread) : SLOT_NONE;
    struct blkcg* blkcg = bio->bi_blkg->blkcg;
    if (submitting) {
        struct css_set* set = thread->cgroups;
        struct cgroup_subsys_state* own = 0;
        bpf_probe_read_kernel(&own, sizeof(own), (void*)&set->subsys + sizeof(void*) * blkcg_index);
        if (own == &blkcg->css)
            return slot_of_submitter(thread);
    }
    return slot_of_cgroup(blkcg->css.cgroup->kn->id);
}

/* A flush alone has no data; one that comes with data is part of a write. */
static __always_inline __u32 direction_of(__u32 flags, bool empty) {
    __u32 operation = flags & REQ_OP_MASK;
    if (operation == OP_READ)
        return BLOCK_READ;
    if (operation == OP_WRITE)
        return empty && flags & 1U << bpf_core_enum_value(enum req_flag_bits, __REQ_PREFLUSH) ? BLOCK_FLUSH
                                                                                              : BLOCK_WRITE;
    if (operation == OP_DISCARD || operation == OP_SECURE_ERASE)
        return BLOCK_DISCARD;
    if (operation == OP_WRITE_ZEROES || operation == bpf_core_enum_value(enum req_op, REQ_OP_ZONE_APPEND))
        return BLOCK_WRITE;
    return BLOCK_DIRECTIONS; /* a flush that serves several requests, zone management, drivers' own commands
                              */
}

static __always_inline struct gendisk* disk_of(struct request* request) {
    if (bpf_core_field_exists(request->q->disk))
        return request->q->disk;
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

/* A request is made. Its address may be known from a life whose end no hook has seen. */
static __always_inline struct block_request* begin_request(struct request* request, __u32 slot,
                                                           __u32 direction) {
    struct block_place place = find_place(request);
    if (!slot || direction == BLOCK_DIRECTIONS) {
        leave_place(&place);
        return 0;
    }
    if (!place.request)
        place = take_place(request);
    struct block_request* known = request_at(&place);
    if (!known)
        return 0;
    known->queued_ns = known->waited_ns = known->issued_ns = 0;
    struct gendisk* disk = disk_of(request);
    if (known->key.series.disk != id_of(disk)) /* an address stays with a disk for long */
        remember_disk(id_of(disk), disk);
    fill_key(&known->key, slot, disk, direction);
    return known;
}

/* Called by whoever makes the request, with its first bio. */
SEC("tp_btf/block_io_start")
int BPF_PROG(on_request_made, struct request* request) {
    struct bio* bio = request->bio;
    if (!bio)
        return 0;
    __u32 slot = slot_of_bio(bio, true), direction = BLOCK_DIRECTIONS;
    if (slot)
        direction = direction_of(request->cmd_flags, !bio->bi_iter.bi_size);
    struct block_request* known = begin_request(request, slot, direction);
    /* The device gets one flush for all who wait for one, without their requests: the wait is all there is.
     */
    if (known && direction == BLOCK_FLUSH)
        known->issued_ns = bpf_ktime_get_ns();
    return 0;
}

/*
 * Kernels that do not tell when a request is made: it is known from when it is inserted, or issued without
 * that. Whoever runs a queue issues the requests of others too, so a request that has been in one is taken
 * for the submitter's only by its block cgroup.
 */
static __always_inline struct block_request* meet_request(struct request* request, bool submitting) {
    struct bio* bio = request->bio;
    if (tells_birth || !bio)
        return 0;
    __u32 slot = slot_of_bio(bio, submitting);
    return begin_request(request, slot, slot ? direction_of(request->cmd_flags, false) : BLOCK_DIRECTIONS);
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(on_request_inserted, struct request* request) {
    struct block_request* known = find_request(request);
    if (!known || (!tells_birth && !known->queued_ns))
        known = meet_request(request, true);
    if (known && !known->queued_ns)
        known->queued_ns = bpf_ktime_get_ns();
    return 0;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(on_request_issued, struct request* request) {
    struct block_request* known = find_request(request);
    if (!known)
        known = meet_request(request, !request->q->elevator);
    if (!known)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    if (known->queued_ns)
        known->waited_ns += now - known->queued_ns;
    known->queued_ns = 0;
    known->issued_ns = now;
    return 0;
}

/* The device did not take it: it waits again. */
SEC("tp_btf/block_rq_requeue")
int BPF_PROG(on_request_requeued, struct request* request) {
    struct block_request* known = find_request(request);
    if (!known)
        return 0;
    known->issued_ns = 0;
    if (!known->queued_ns)
        known->queued_ns = bpf_ktime_get_ns();
    return 0;
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

/*
 * Where nobody tells when a request is made, a flush without data is seen only here. A write whose own flush
 * has been done comes by again looking the same, but for its data.
 */
static __always_inline void complete_unannounced_flush(struct request* request, int error) {
    struct bio* bio = request->bio;
    if (tells_birth || !bio || request->nr_phys_segments ||
        direction_of(bio->bi_opf, true) != BLOCK_FLUSH) /* the request's own flags have been changed */
        return;
    __u32 slot = slot_of_bio(bio, false);
    if (!slot)
        return;
    struct block_request flush = {.issued_ns = request->start_time_ns};
    fill_key(&flush.key, slot, disk_of(request), BLOCK_FLUSH);
    complete(request, &flush, error, 0, true);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_request_completed, struct request* request, int error, unsigned int bytes) {
    struct block_place place = find_place(request);
    struct block_request* known = request_at(&place);
    if (!known) {
        complete_unannounced_flush(request, error);
        return 0;
    }
    bool done = bytes >= request->__data_len;
    complete(request, known, error, bytes, done);
    if (done)
        leave_place(&place);
    return 0;
}

/* A bio that joins a request that is waiting already; here the submitter runs. */
static __always_inline int count_merge(struct bio* bio) {
    __u32 slot = slot_of_bio(bio, true);
    __u32 direction = slot ? direction_of(bio->bi_opf, false) : BLOCK_DIRECTIONS;
    if (direction == BLOCK_DIRECTIONS)
        return 0;
    struct gendisk* disk = bio->bi_bdev->bd_disk;
    struct block_key key;
    fill_key(&key, slot, disk, direction);
    struct block_account* account = find_block_account(&key, disk);
    if (account)
        __sync_fetch_and_add(&account->merges, 1);
    return 0;
}

SEC("tp_btf/block_bio_backmerge")
int BPF_PROG(on_bio_merged_at_back, struct bio* bio) {
    return count_merge(bio);
}

SEC("tp_btf/block_bio_frontmerge")
int BPF_PROG(on_bio_merged_at_front, struct bio* bio) {
    return count_merge(bio);
}

/* Two requests become one: this is the one that goes. Its bytes complete with the other. */
SEC("tp_btf/block_rq_merge")
int BPF_PROG(on_request_merged, struct request* request) {
    struct block_place place = find_place(request);
    struct block_request* known = request_at(&place);
    if (!known)
        return 0;
    struct block_account* account = find_block_account(&known->key, disk_of(request));
    if (account)
        __sync_fetch_and_add(&account->merges, 1);
    leave_place(&place);
    return 0;
}
