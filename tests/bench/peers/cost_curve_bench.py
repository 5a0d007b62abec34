#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs by the number of containers: cgroups with a process each, which rests.

usage: cost_curve_bench.py [--record] [--open-files N] [--busy] [N]…

CPU time and wall time of a scrape as Prometheus does it, the page's bytes, resident memory, and the time that a plain
copy of the same bytes takes. Fails when the cost of a container grows with their number; what is allowed is
written below. Containers whose files cannot all be kept open cost more; --open-files lowers the limit, so that this
can be seen with fewer of them. With --busy none rests from one scrape to the next. --record writes the figures to
results.json and docs/overhead.md.
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
MOST_GROWTH = 1.15  # of what one costs, from each number to the next
MOST_GROWTH_UNKEPT = 1.3
FILES_EACH = 26  # that are kept open of a container
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


def never_rests():
    """Runs between any two scrapes."""
    while True:
        time.sleep(0.2)


def measure(count, **crowd):
    config = {**watching(PARENT, max=max(512, count)), "log": {"level": "info"}}
    with Crowd(count, parent=PARENT, **crowd), Agent(config) as agent:
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
    """By the least of the rounds, which the machine disturbed least, without what one container takes, and so without
    what does not depend on their number."""
    of = {"CPU time": lambda one: one["cpu_seconds"]["least"], "wall time": lambda one: one["wall_seconds"]["least"],
          "bytes": lambda one: one["page_bytes"], "memory": lambda one: one["resident_bytes"]}
    return {name: exponent({count: value(one) - value(found[min(found)]) for count, one in found.items()
                            if count >= FIT_FROM})
            for name, value in of.items()}


def of_one_more(found):
    """{number of containers: CPU seconds that each but the first adds to a scrape}"""
    fixed = found[min(found)]["cpu_seconds"]["least"]
    return {count: (one["cpu_seconds"]["least"] - fixed) / (count - min(found)) for count, one in found.items()
            if count >= max(FIT_FROM, min(found) + 1)}


def problems(found):
    """What is not as it has to be."""
    for name, power in exponents(found).items():
        if power > MOST_POWER:
            yield "%s grows with the number of containers to the %.2f" % (name, power)
    each = sorted(of_one_more(found).items())
    for (fewer, cheaper), (more, dearer) in zip(each, each[1:]):
        kept = more * FILES_EACH < resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        print("a container adds %.1f us with %d, %.1f us with %d%s"
              % (cheaper * 1e6, fewer, dearer * 1e6, more, "" if kept else ", not all of whose files are kept open"))
        if dearer > cheaper * (MOST_GROWTH if kept else MOST_GROWTH_UNKEPT):
            yield "a container costs %.2f times as much with %d as with %d" % (dearer / cheaper, more, fewer)
    if found[1000]["wall_seconds"]["least"] > MOST_SECONDS:
        yield "1,000 containers take %.3f s" % found[1000]["wall_seconds"]["least"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--open-files", type=int)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("counts", nargs="*", type=int, metavar="N", default=COUNTS)
    options = parser.parse_args()
    if options.open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (options.open_files, options.open_files))
    found = {}
    for count in options.counts:
        found[count] = measure(count, **({"body": never_rests} if options.busy else {}))
        print("%d containers: %s" % (count, json.dumps(found[count])), flush=True)
    if options.busy or not set(COUNTS) <= set(found):
        print("each adds, in us: %s" % {count: round(seconds * 1e6, 1) for count, seconds in of_one_more(found).items()})
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
