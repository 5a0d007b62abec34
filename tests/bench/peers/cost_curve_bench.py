#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs by the number of containers: cgroups with a process each, which rests.

usage: cost_curve_bench.py [--record] [N]…

CPU time and wall time of a scrape as Prometheus does it, the page's bytes, resident memory, and the time that a plain
copy of the same bytes takes. Fails when the cost of a container grows with their number; what is allowed is
written below. --record writes the figures to results.json and docs/overhead.md.
"""

import argparse
import ctypes
import json
import math
import os
import resource
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))

import tables  # noqa: E402
from plimsoll_testbed import HEADERS, Agent, Crowd, cpu_clock, resident_mib, watching  # noqa: E402

PARENT = "/plimsoll-crowd"  # whatever else runs on the machine is not watched
COUNTS = [1, 10, 100, 500, 1000, 2000]
SCRAPES = 15
SETTLE = 3
FIT_FROM = 100
# A tenth above a straight line is what caches that become too small come to; anything quadratic gives 1.5 and more.
MOST_POWER = 1.1
MOST_GROWTH = 1.3
MOST_SECONDS = 0.1


def copy_seconds(size):
    """The fastest plain copy of so many bytes, from memory to memory, none of it touched for the first time."""
    source, target = bytearray(os.urandom(1 << 20) * (size // (1 << 20) + 1)), bytearray(size + (1 << 20))
    views = [(ctypes.c_char * size).from_buffer(buffer) for buffer in (target, source)]
    best = float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        ctypes.memmove(views[0], views[1], size)
        best = min(best, time.perf_counter() - begin)
    return best


def measure(count):
    config = {**watching(PARENT, max=max(512, count)), "log": {"level": "info"}}
    with Crowd(count, parent=PARENT), Agent(config) as agent:
        time.sleep(SETTLE)
        agent.page()
        wall, cpu = [], []
        for _ in range(SCRAPES):
            time.sleep(0.3)
            before, begin = cpu_clock(agent.pid), time.monotonic()
            status, _, packed = agent.get("/metrics", HEADERS, timeout=60)
            wall.append(time.monotonic() - begin)
            cpu.append(cpu_clock(agent.pid) - before)
            assert status == 200
        page, resident = agent.page(), resident_mib(agent.pid)
    return {"cpu_seconds": {"median": statistics.median(cpu), "least": min(cpu)},
            "wall_seconds": {"median": statistics.median(wall), "least": min(wall)},
            "page_bytes": len(page), "packed_bytes": len(packed), "resident_bytes": resident * 2**20,
            "copy_seconds": copy_seconds(len(page))}


def exponent(points):
    """Of the power of the number of containers that fits {number: cost} best: 1 is a straight line."""
    xs, ys = ([math.log(value) for value in values] for values in (points, points.values()))
    x, y = statistics.mean(xs), statistics.mean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def exponents(found):
    """By the least of the rounds, which the machine disturbed least. What does not depend on containers makes them
    smaller: few containers are left out, and the agent's own memory is taken off."""
    of = {"CPU time": lambda one: one["cpu_seconds"]["least"], "wall time": lambda one: one["wall_seconds"]["least"],
          "bytes": lambda one: one["page_bytes"],
          "memory": lambda one: one["resident_bytes"] - found[min(found)]["resident_bytes"]}
    return {name: exponent({count: value(one) for count, one in found.items() if count >= FIT_FROM})
            for name, value in of.items()}


def problems(found):
    """What is not as it has to be."""
    for name, power in exponents(found).items():
        if power > MOST_POWER:
            yield "%s grows with the number of containers to the %.2f" % (name, power)
    least = {count: one["cpu_seconds"]["least"] / count for count, one in found.items()}
    if least[2000] > MOST_GROWTH * least[500]:
        yield "a container costs %.2f times as much with 2,000 as with 500" % (least[2000] / least[500])
    if found[1000]["wall_seconds"]["least"] > MOST_SECONDS:
        yield "1,000 containers take %.3f s" % found[1000]["wall_seconds"]["least"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("counts", nargs="*", type=int, metavar="N", default=COUNTS)
    options = parser.parse_args()
    found = {}
    for count in options.counts:
        found[count] = measure(count)
        print("%d containers: %s" % (count, json.dumps(found[count])), flush=True)
    if not set(COUNTS) <= set(found):
        return 0
    powers = exponents(found)
    print("powers: %s" % json.dumps(powers))
    if options.record:
        tables.record("cost_curve", {"containers": found, "powers": powers,
                                     "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[1]})
    wrong = list(problems(found))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
