/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the cost of probes is measured against: programs on the same hooks that do nothing, or take a
 * timestamp. */
#include "kernel.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_switch")
int BPF_PROG(switch_empty) {
    return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(wakeup_empty) {
    return 0;
}

__u64 last_switch_ns, last_wakeup_ns;

SEC("tp_btf/sched_switch")
int BPF_PROG(switch_timestamp) {
    *(volatile __u64*)&last_switch_ns = bpf_ktime_get_boot_ns();
    return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(wakeup_timestamp) {
    *(volatile __u64*)&last_wakeup_ns = bpf_ktime_get_boot_ns();
    return 0;
}

__u64 last_send_ns, last_receive_ns;

SEC("?tp_btf/sock_send_length")
int BPF_PROG(send_empty) {
    return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(receive_empty) {
    return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(send_timestamp) {
    *(volatile __u64*)&last_send_ns = bpf_ktime_get_boot_ns();
    return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(receive_timestamp) {
    *(volatile __u64*)&last_receive_ns = bpf_ktime_get_boot_ns();
    return 0;
}
