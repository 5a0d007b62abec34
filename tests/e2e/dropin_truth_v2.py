# SPDX-License-Identifier: Apache-2.0
"""What dropin_truth.py is, where all controllers are in the v2 hierarchy."""

from dropin_truth import fields, pressure

STAT = {"container_memory_rss": "anon", "container_memory_cache": "file", "container_memory_kernel_usage": "kernel",
        "container_memory_mapped_file": "file_mapped", "container_memory_file_dirty_bytes": "file_dirty",
        "container_memory_file_writeback_bytes": "file_writeback",
        "container_memory_total_active_file_bytes": "active_file",
        "container_memory_total_inactive_file_bytes": "inactive_file",
        "container_memory_workingset_refault_file_total": "workingset_refault_file",
        "container_memory_workingset_refault_anon_total": "workingset_refault_anon",
        "container_memory_pgscan_total": "pgscan", "container_memory_pgsteal_total": "pgsteal"}
MEMORY = {"container_memory_usage_bytes": "memory.current", "container_memory_swap": "memory.swap.current",
          "container_memory_max_usage_bytes": "memory.peak", "container_spec_memory_limit_bytes": "memory.max",
          "container_spec_memory_swap_limit_bytes": "memory.swap.max",
          "container_spec_memory_reservation_limit_bytes": "memory.min"}
EVENTS = {"container_memory_failcnt": "max", "container_memory_events_max_total": "max",
          "container_memory_events_high_total": "high"}
IO = {"container_fs_reads_bytes_total": "rbytes", "container_fs_writes_bytes_total": "wbytes",
      "container_fs_reads_total": "rios", "container_fs_writes_total": "wios"}


def limit(text):
    return 0 if text.strip() == "max" else int(text)


def cpu(cgroup):
    stat = fields(cgroup.read("cpu.stat"))
    found = {("container_cpu_usage_seconds_total", (("cpu", "total"),)): stat["usage_usec"] / 1e6,
             ("container_cpu_user_seconds_total", ()): stat["user_usec"] / 1e6,
             ("container_cpu_system_seconds_total", ()): stat["system_usec"] / 1e6}
    try:
        quota, period = cgroup.read("cpu.max").split()
    except FileNotFoundError:  # the controller is not passed on to it
        return found
    found[("container_spec_cpu_period", ())] = int(period)
    # systemd and the runtimes map the weights 1 to 10000 and v1's shares 2 to 262144 to each other, linearly.
    found[("container_spec_cpu_shares", ())] = 2 + (int(cgroup.read("cpu.weight")) - 1) * 262142 // 9999
    if quota != "max":
        found[("container_spec_cpu_quota", ())] = int(quota)
        for family, key, unit in (("periods", "nr_periods", 1), ("throttled_periods", "nr_throttled", 1),
                                  ("throttled_seconds", "throttled_usec", 1e6), ("burst_periods", "nr_bursts", 1),
                                  ("burst_seconds", "burst_usec", 1e6)):
            found[("container_cpu_cfs_%s_total" % family, ())] = stat[key] / unit
    return found


def memory(cgroup):
    stat, events = fields(cgroup.read("memory.stat")), fields(cgroup.read("memory.events"))
    found = {(family, ()): stat[key] for family, key in STAT.items()}
    found |= {(family, ()): limit(cgroup.read(name)) for family, name in MEMORY.items()}
    found |= {(family, ()): events[key] for family, key in EVENTS.items()}
    usage = found[("container_memory_usage_bytes", ())]
    found[("container_memory_working_set_bytes", ())] = max(0, usage - stat["inactive_file"])
    for kind in ("pgfault", "pgmajfault"):
        for scope in ("container", "hierarchy"):
            found[("container_memory_failures_total", (("failure_type", kind), ("scope", scope)))] = stat[kind]
    return found


def tasks(cgroup):
    return {("container_threads_max", ()): limit(cgroup.read("pids.max"))}


def disk(cgroup, names):
    """names: {"major:minor": "/dev/…"}"""
    found = {}
    for line in cgroup.read("io.stat").splitlines():
        number, *pairs = line.split()
        values = dict(pair.split("=") for pair in pairs)
        for family, key in IO.items():
            if number in names and key in values:
                found[(family, (("device", names[number]),))] = int(values[key])
    return found


def everything(cgroup):
    return {**cpu(cgroup), **memory(cgroup), **pressure(cgroup), **tasks(cgroup)}
