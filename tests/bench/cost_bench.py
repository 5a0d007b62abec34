#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent costs in user space: CPU and memory with idle and busy containers, scraped as Prometheus does.

usage: cost_bench.py [--minutes N] [--every SECONDS] [CASE]…   cases: busy-20 idle-20 idle-200 idle-1000

Each case prints `name value` lines: CPU seconds per minute (user and kernel mode of the agent's process, nothing of its
kernel programs' time in other processes), resident memory, series and bytes of a page. The machine's node exporter is
scraped at the same moments, so that the figures mean something on another machine.
"""

import argparse
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import HEADERS, Agent, Crowd, cpu_clock, free_port, resident_mib  # noqa: E402
from plimsoll_testbed.shell import Daemon  # noqa: E402

CASES = {"busy-20": (20, True), "idle-20": (20, False), "idle-200": (200, False), "idle-1000": (1000, False)}
SETTLE = 5


def scrape(port):
    request = urllib.request.Request("http://127.0.0.1:%d/metrics" % port, headers=HEADERS)
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read()


def answers(port):
    try:
        return bool(scrape(port))
    except OSError:
        return False


def busy():
    """A tenth of a CPU in bursts, hundreds of switches a second, a child process every second."""
    while True:
        for _ in range(100):
            end = time.perf_counter() + 0.0003
            while time.perf_counter() < end:
                pass
            time.sleep(0.008)
        if os.fork() == 0:
            os._exit(0)
        os.wait()


def measure(case, minutes, every):
    count, is_busy = CASES[case]
    exporter_port = free_port()
    exporter = Daemon(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:%d" % exporter_port],
                      "/dev/null")
    exporter.wait_ready(lambda: answers(exporter_port))
    try:
        with (Crowd(count, *([busy] if is_busy else [])),
              Agent({"containers": {"max": 1024}, "log": {"level": "info"}}) as agent):
            for port in (agent.port, exporter_port):
                scrape(port)
            time.sleep(SETTLE)
            before = cpu_clock(agent.pid), cpu_clock(exporter.pid)
            begin = time.monotonic()
            for number in range(round(minutes * 60 / every)):
                time.sleep(max(0.0, begin + (number + 1) * every - time.monotonic()))
                packed = scrape(agent.port)
                scrape(exporter_port)
            took = (time.monotonic() - begin) / 60
            after = cpu_clock(agent.pid), cpu_clock(exporter.pid)
            families = agent.metrics()
            name = "cost_" + case.replace("-", "_")
            print("%s_cpu_seconds_per_minute %.3f" % (name, (after[0] - before[0]) / took))
            print("%s_resident_mib %.1f" % (name, resident_mib(agent.pid)))
            print("%s_series %d" % (name, families.value("plimsoll_scrape_series")))
            print("%s_page_bytes %d" % (name, families.value("plimsoll_scrape_bytes")))
            print("%s_gzip_bytes %d" % (name, len(packed)))
            print("%s_node_exporter_cpu_seconds_per_minute %.3f" % (name, (after[1] - before[1]) / took))
            print("%s_node_exporter_resident_mib %.1f" % (name, resident_mib(exporter.pid)), flush=True)
    finally:
        exporter.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--every", type=float, default=15)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    options = parser.parse_args()
    for case in options.cases or CASES:
        measure(case, options.minutes, options.every)


if __name__ == "__main__":
    main()
