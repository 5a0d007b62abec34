/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What reached the block devices. A request gets its container when it is made; from then on the table of
 * requests knows it, and what is not in there is nobody's: requests of unwatched cgroups, and those that were
 * made before the agent started.
 */
#include "block_account.bpf.h"
#include "block_requests.bpf.h"
#include "scope.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 by_blkcg = 1;    /* block cgroups are in the hierarchy that identifies containers */
const volatile __s32 blkcg_index = 0; /* of their controller, from BTF */
const volatile __u32 tells_birth = 1; /* block_io_start tells when a request is made (6.5) */

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
        return submitting ? slot_by_record(thread) : SLOT_NONE;
    struct blkcg* blkcg = READ_ONLY(struct bio, bio)->bi_blkg->blkcg;
    if (submitting) {
        struct css_set* set = READ_ONLY(struct task_struct, thread)->cgroups;
        struct cgroup_subsys_state* own = 0;
        bpf_probe_read_kernel(&own, sizeof(own), (void*)&set->subsys + sizeof(void*) * blkcg_index);
        if (own == &blkcg->css)
            return slot_by_record(thread);
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

/* A request is made. Its address may be known from a life whose end no hook has seen. */
static __always_inline struct block_request* begin_request(struct request* request, __u32 slot,
                                                           __u32 direction) {
    struct block_place place = find_place(request);
    if (!slot || direction == BLOCK_DIRECTIONS) {
        leave_place(&place);
        return 0;
    }
    if (!place.request)
        place.index = take_place(number_of(request));
    struct block_request* known = bpf_map_lookup_elem(&block_requests, &place.index);
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
    struct bio* bio = READ_ONLY(struct request, request)->bio;
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
    struct bio* bio = READ_ONLY(struct request, request)->bio;
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
        known = meet_request(request, !READ_ONLY(struct request, request)->q->elevator);
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

/*
 * Where nobody tells when a request is made, a flush without data is seen only here. A write whose own flush
 * has been done comes by again looking the same, but for its data.
 */
static __always_inline void complete_unannounced_flush(struct request* request, int error) {
    struct bio* bio = READ_ONLY(struct request, request)->bio;
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
    struct gendisk* disk = READ_ONLY(struct bio, bio)->bi_bdev->bd_disk;
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
