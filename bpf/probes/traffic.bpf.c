/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the sockets of containers in the host's network namespace receive and send, by interface. The programs
 * are attached to the root of the v2 hierarchy, where they stand beside those of others (below it, somebody
 * who wants a cgroup for himself would refuse them, or be refused), so they see the packets of every socket
 * of the machine and leave most of them alone. They let every packet pass.
 */
#include "kernel_net.bpf.h"

#include "cast.bpf.h"
#include "scope.bpf.h"
#include "shared/traffic.h"
#include "tenure.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 host_network = 0; /* inode number of the host's network namespace */

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 8192);
    __type(key, struct traffic_key);
    __type(value, struct traffic_account);
} traffic_accounts SEC(".maps");

/* By slot: 1 when its container has a network of its own. The daemon says so to save what asking costs. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1); /* set by the daemon */
    __type(key, __u32);
    __type(value, __u32);
} has_own_network SEC(".maps");

#define LOOPBACK_IFINDEX 1 /* in every namespace */
#define LET_PASS 1

static const struct traffic_account new_account;

static __noinline struct traffic_account* make_account(const struct traffic_key* key) {
    bpf_map_update_elem(&traffic_accounts, key, &new_account, BPF_NOEXIST);
    struct traffic_account* account = bpf_map_lookup_elem(&traffic_accounts, key);
    if (!account)
        count_failure(FAILURE_traffic_accounts_full);
    return account;
}

/*
 * A packet that the kernel will cut into segments, or has put together from them, has the headers of one.
 * Some drivers do not say of how many segments they made one: that is one packet then, as it is to them.
 */
static __always_inline void add_packet(struct traffic_account* account, struct __sk_buff* packet) {
    __u32 segments = packet->gso_segs;
    __sync_fetch_and_add(&account->bytes, packet->len);
    __sync_fetch_and_add(&account->packets, segments ? segments : 1);
}

static __always_inline bool is_hosts(struct net_device* device) {
    struct net* network = READ(struct net_device, device, nd_net.net);
    return READ(struct net, network, ns.inum) == host_network;
}

static __always_inline void copy_name(struct traffic_series* series, struct net_device* device) {
    __u64 name[TRAFFIC_INTERFACE_NAME / sizeof(__u64)];
    if (kernel_can_cast) {
        const __u64* words = (const __u64*)AS(struct net_device, device)->name;
        name[0] = words[0];
        name[1] = words[1];
    } else {
        bpf_probe_read_kernel(name, sizeof(name), device->name);
    }
    __builtin_memcpy(series->interface, name, sizeof(name));
}

static __always_inline void count_for(__u32 slot, struct __sk_buff* packet, __u32 direction) {
    __u32* elsewhere = bpf_map_lookup_elem(&has_own_network, &slot);
    if (elsewhere && *elsewhere)
        return;
    struct net_device* device = READ(struct sk_buff, packet, dev); /* the context is one */
    if (!is_hosts(device))
        return;
    struct traffic_key key
        __attribute__((aligned(8))) = {.owner = tenure_of(slot), .series.direction = direction};
    copy_name(&key.series, device);
    struct traffic_account* account = bpf_map_lookup_elem(&traffic_accounts, &key);
    if (!account)
        account = make_account(&key);
    if (account)
        add_packet(account, packet);
}

static __always_inline int count(struct __sk_buff* packet, __u32 direction) {
    if (packet->ifindex == LOOPBACK_IFINDEX)
        return LET_PASS;
    __u32 slot = slot_of_cgroup(bpf_skb_cgroup_id(packet));
    if (slot)
        count_for(slot, packet, direction);
    return LET_PASS;
}

SEC("cgroup_skb/ingress")
int on_received(struct __sk_buff* packet) {
    return count(packet, TRAFFIC_RECEIVE);
}

SEC("cgroup_skb/egress")
int on_sent(struct __sk_buff* packet) {
    return count(packet, TRAFFIC_TRANSMIT);
}
