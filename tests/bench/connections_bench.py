#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to tell TCP sockets by state: time of a sample of the probe tcp, by socket. Prints `name value` lines,
medians of many scrapes. Root only."""

import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, Cgroup  # noqa: E402

PREFIX = "/plimsoll-bench-%d" % os.getpid()
SCRAPES = 41
CONNECTIONS = 400  # of each process, both ends: the usual soft limit of descriptors is 1024
PROCESSES = 10
HOLDER = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0), backlog=16)
kept = []
for _ in range(%d):
    kept += [socket.create_connection(listener.getsockname()), listener.accept()[0]]
print("ready", flush=True)
time.sleep(1000)
""" % CONNECTIONS


def sample_us(running):
    """Of a page, the time of the sample before."""
    running.metrics()
    return statistics.median(running.value("plimsoll_probe_sample_seconds", probe="tcp") for _ in range(SCRAPES)) * 1e6


def main():
    with Cgroup(PREFIX), Cgroup(PREFIX + "/c1") as cgroup, \
            Agent({"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/*"}]}}) as running:
        none = sample_us(running)
        holders = [cgroup.spawn([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) for _ in range(PROCESSES)]
        try:
            for holder in holders:
                assert holder.stdout.readline() == b"ready\n"
            sockets = running.value("container_tcp_connections", id=cgroup.path, state="established")
            assert sockets == 2 * CONNECTIONS * PROCESSES, sockets
            print("connections_sample_us %.0f" % none)
            print("connections_us_per_socket %.2f" % ((sample_us(running) - none) / sockets))
        finally:
            for holder in holders:
                holder.kill()
                holder.communicate()


if __name__ == "__main__":
    main()
