#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to look into the processes of containers: time of a sample, by container (network, filesystem), by
process and by descriptor (descriptors). Prints `name value` lines, medians of many scrapes. Root only."""

import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, Cgroup, Rootfs, RuncRuntime, wait_until  # noqa: E402

PREFIX = "/plimsoll-bench-%d" % os.getpid()
SCRAPES = 41
CONTAINERS = 20
PROCESSES = 200
DESCRIPTORS = 1000  # of each of the holders; the usual soft limit is 1024
HOLDERS = 10
HOLDER = "import os, time\nfor _ in range(%d): os.dup(0)\nprint('ready', flush=True)\ntime.sleep(1000)\n"


def agent():
    return Agent({"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/*"}]}, "log": {"level": "info"},
                  "probes": {"descriptors": {"enabled": True}}})


def sample_us(probe):
    """Of a page, the time of the sample before."""
    with agent() as running:
        running.metrics()
        return statistics.median(running.value("plimsoll_probe_sample_seconds", probe=probe)
                                 for _ in range(SCRAPES)) * 1e6


def ready(process):
    assert process.stdout.readline() == b"ready\n"


def per_container():
    with RuncRuntime(Rootfs(with_workloads=False)) as runtime:
        for number in range(CONTAINERS):
            runtime.run("c%d" % number, ["sleep", "1000"], cgroup="%s/c%d" % (PREFIX, number))
        return {probe: sample_us(probe) / CONTAINERS for probe in ("network", "filesystem")}


def descriptors_us(processes, more):
    """With so many processes in one container, each of which has so many more descriptors than three."""
    argv = ["python3", "-S", "-c", HOLDER % more] if more else \
        ["sh", "-c", "echo ready; exec sleep 1000"]
    with Cgroup(PREFIX + "/holders") as cgroup:
        running = [cgroup.spawn(argv, stdout=subprocess.PIPE) for _ in range(processes)]
        for process in running:
            ready(process)
        wait_until(lambda: len(cgroup.procs()) == processes, 10, "the last exec")
        result = sample_us("descriptors")
        for process in running:
            process.kill()
            process.wait()
        return result


def main():
    with Cgroup(PREFIX):
        for probe, value in per_container().items():
            print("processes_%s_us_per_container %.1f" % (probe, value))
        few, many, holders = (descriptors_us(*wanted) for wanted in ((1, 0), (PROCESSES, 0), (HOLDERS, DESCRIPTORS)))
        process = (many - few) / (PROCESSES - 1)
        print("processes_descriptors_us_per_process %.1f" % process)
        print("processes_descriptors_us_per_descriptor %.2f"
              % ((holders - few - (HOLDERS - 1) * process) / (HOLDERS * DESCRIPTORS)))


if __name__ == "__main__":
    main()
