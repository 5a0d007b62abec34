# SPDX-License-Identifier: Apache-2.0
"""What the kernel's own files say of a cgroup, under the names of cAdvisor's metrics. For test_dropin.py; v1 and hybrid
hosts, the v2 hierarchy for what only it has."""

import os

USER_HZ = os.sysconf("SC_CLK_TCK")
UNLIMITED = 1 << 62

STAT = {"container_memory_rss": "total_rss", "container_memory_cache": "total_cache",
        "container_memory_swap": "total_swap", "container_memory_mapped_file": "total_mapped_file",
        "container_memory_total_active_file_bytes": "total_active_file",
        "container_memory_total_inactive_file_bytes": "total_inactive_file",
        "container_memory_file_dirty_bytes": "total_dirty", "container_memory_file_writeback_bytes": "total_writeback",
        "container_memory_workingset_refault_file_total": "total_workingset_refault_file",
        "container_memory_workingset_refault_anon_total": "total_workingset_refault_anon"}
MEMORY = {"container_memory_usage_bytes": "memory.usage_in_bytes",
          "container_memory_max_usage_bytes": "memory.max_usage_in_bytes",
          "container_memory_failcnt": "memory.failcnt", "container_memory_kernel_usage": "memory.kmem.usage_in_bytes",
          "container_spec_memory_limit_bytes": "memory.limit_in_bytes",
          "container_spec_memory_swap_limit_bytes": "memory.memsw.limit_in_bytes",
          "container_spec_memory_reservation_limit_bytes": "memory.soft_limit_in_bytes"}
FAULTS = {("pgfault", "container"): "pgfault", ("pgfault", "hierarchy"): "total_pgfault",
          ("pgmajfault", "container"): "pgmajfault", ("pgmajfault", "hierarchy"): "total_pgmajfault"}


def fields(text):
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def cpu(cgroup):
    """{(family, labels): value}"""
    ticks = fields(cgroup.read("cpuacct.stat", "cpuacct"))
    found = {("container_cpu_usage_seconds_total", (("cpu", "total"),)):
             int(cgroup.read("cpuacct.usage", "cpuacct")) / 1e9,
             ("container_cpu_user_seconds_total", ()): ticks["user"] / USER_HZ,
             ("container_cpu_system_seconds_total", ()): ticks["system"] / USER_HZ,
             ("container_spec_cpu_period", ()): int(cgroup.read("cpu.cfs_period_us", "cpu")),
             ("container_spec_cpu_shares", ()): int(cgroup.read("cpu.shares", "cpu"))}
    quota = int(cgroup.read("cpu.cfs_quota_us", "cpu"))
    if quota > 0:
        stat = fields(cgroup.read("cpu.stat", "cpu"))
        found[("container_spec_cpu_quota", ())] = quota
        for family, key, unit in (("periods", "nr_periods", 1), ("throttled_periods", "nr_throttled", 1),
                                  ("throttled_seconds", "throttled_time", 1e9), ("burst_periods", "nr_bursts", 1),
                                  ("burst_seconds", "burst_time", 1e9)):
            found[("container_cpu_cfs_%s_total" % family, ())] = stat[key] / unit
    return found


def memory(cgroup):
    stat = fields(cgroup.read("memory.stat", "memory"))
    found = {(family, ()): stat[key] for family, key in STAT.items() if key in stat}
    for family, name in MEMORY.items():
        value = int(cgroup.read(name, "memory"))
        found[(family, ())] = 0 if family.startswith("container_spec") and value > UNLIMITED else value
    usage = found[("container_memory_usage_bytes", ())]
    found[("container_memory_working_set_bytes", ())] = max(0, usage - stat["total_inactive_file"])
    for (kind, scope), key in FAULTS.items():
        found[("container_memory_failures_total", (("failure_type", kind), ("scope", scope)))] = stat[key]
    return found


def pressure(cgroup):
    found = {}
    for resource in ("cpu", "memory", "io"):
        try:
            text = cgroup.read(resource + ".pressure")
        except FileNotFoundError:
            continue
        for line in text.splitlines():
            kind, rest = line.split(" ", 1)
            name = {"some": "waiting", "full": "stalled"}[kind]
            found[("container_pressure_%s_%s_seconds_total" % (resource, name), ())] = \
                int(rest.rsplit("total=", 1)[1]) / 1e6
    return found


def tasks(cgroup):
    limit = cgroup.read("pids.max", "pids").strip()
    return {("container_threads_max", ()): 0 if limit == "max" else int(limit)}


def disk(cgroup, names):
    """names: {"major:minor": "/dev/…"}"""
    found = {}
    for family, name in (("%s_bytes", "blkio.throttle.io_service_bytes_recursive"),
                         ("%s", "blkio.throttle.io_serviced_recursive")):
        for line in cgroup.read(name, "blkio").splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in ("Read", "Write") and words[0] in names:
                what = "container_fs_%s_total" % (family % {"Read": "reads", "Write": "writes"}[words[1]])
                found[(what, (("device", names[words[0]]),))] = int(words[2])
    return found


def everything(cgroup):
    return {**cpu(cgroup), **memory(cgroup), **pressure(cgroup), **tasks(cgroup)}
