#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an event costs through each channel: the same storm of short processes, in turn, with ring buffer and perf
buffers. Prints `name value` lines: run time of the program that sends exit events, the agent's CPU time per 1,000
events, and what was lost. Root only."""

import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, Cgroup  # noqa: E402
from plimsoll_testbed.workloads import binary  # noqa: E402

PROCESSES = 5000
ROUNDS = 3


def storm(channel):
    """(ns per run of the exit program, agent's CPU ms per 1,000 events, lost)"""
    path = "/plimsoll-bench-%d" % os.getpid()
    config = {"containers": {"discover": [], "cgroups": [{"path": path}]}, "events": {"channel": channel},
              "self": {"bpf_stats": True}, "log": {"level": "info"}}
    with Cgroup(path) as cgroup, Agent(config) as agent:
        before = agent.metrics()
        child = subprocess.Popen(["/bin/sh", "-c", "read go; exec %s %d 50" % (binary("forker"), PROCESSES)],
                                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        cgroup.add(child.pid)
        child.communicate(b"\n")
        after = agent.metrics()
        delta = lambda name, **labels: after.value(name, **labels) - before.value(name, **labels)  # noqa: E731
        runs = delta("plimsoll_program_runs_total", program="on_exit")
        seconds = delta("plimsoll_program_run_seconds_total", program="on_exit")
        events = delta("plimsoll_events_total", kind="exit")
        assert events + delta("plimsoll_events_lost_total") >= PROCESSES
        cpu = delta("process_cpu_seconds_total")
        return seconds / runs * 1e9, cpu / events * 1e6, delta("plimsoll_events_lost_total")


def main():
    results = {channel: [] for channel in ("ringbuf", "perf")}
    for _ in range(ROUNDS):
        for channel, rounds in results.items():
            rounds.append(storm(channel))
    medians = {channel: [statistics.median(column) for column in zip(*rounds)]
               for channel, rounds in results.items()}
    for channel, (program, cpu, lost) in medians.items():
        print("events_%s_program_ns %.0f\nevents_%s_agent_cpu_ms_per_1000 %.2f\nevents_%s_lost %d"
              % (channel, program, channel, cpu, channel, lost))
    print("events_ringbuf_to_perf_program_ratio %.3f" % (medians["ringbuf"][0] / medians["perf"][0]))
    print("events_ringbuf_to_perf_cpu_ratio %.3f" % (medians["ringbuf"][1] / medians["perf"][1]))


if __name__ == "__main__":
    main()
