/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probe io's cost is measured against: programs on the same hooks that do nothing, or take a timestamp.
 */
#include "kernel.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sys_enter")
int BPF_PROG(enter_empty) {
    return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_empty) {
    return 0;
}

__u64 last_enter_ns, last_exit_ns;

SEC("tp_btf/sys_enter")
int BPF_PROG(enter_timestamp) {
    *(volatile __u64*)&last_enter_ns = bpf_ktime_get_boot_ns();
    return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_timestamp) {
    *(volatile __u64*)&last_exit_ns = bpf_ktime_get_boot_ns();
    return 0;
}
