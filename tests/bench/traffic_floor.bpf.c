/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probe traffic is measured against: programs that see each packet, too, and do nothing, or take a
 * timestamp. */
#include "kernel.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup_skb/ingress")
int received_empty(struct __sk_buff* packet) {
    return 1;
}

SEC("cgroup_skb/egress")
int sent_empty(struct __sk_buff* packet) {
    return 1;
}

__u64 last_received_ns, last_sent_ns;

SEC("cgroup_skb/ingress")
int received_timestamp(struct __sk_buff* packet) {
    *(volatile __u64*)&last_received_ns = bpf_ktime_get_boot_ns();
    return 1;
}

SEC("cgroup_skb/egress")
int sent_timestamp(struct __sk_buff* packet) {
    *(volatile __u64*)&last_sent_ns = bpf_ktime_get_boot_ns();
    return 1;
}
