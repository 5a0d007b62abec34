#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a container itself costs: the same program as a plain process, in runc and in Docker. No agent runs.

Prints a Markdown table for docs/overhead.md: nanoseconds of the plain process, and the ratio of the others to it.
"""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import DockerRuntime, RuncRuntime, run, workdir  # noqa: E402
from plimsoll_testbed.workloads import BUILD  # noqa: E402

ROUNDS = 5


def figures(output):
    return {name: float(value) for name, value in (line.split() for line in output.splitlines())}


def main():
    program = BUILD + "/tests/bench/inside_bench"
    shared = workdir()
    shutil.copy(program, shared)
    docker, runc = DockerRuntime(), RuncRuntime()
    places = {"plain process": None}
    for name, runtime in (("runc", runc), ("Docker", docker)):
        places[name] = runtime.run("bench", ["sleep", "10000"], mounts=[(shared, "/data")])
    inside = ["/data/inside_bench", "/data"]
    best = {name: {} for name in places}
    for _ in range(ROUNDS):  # in turn, so that the machine's moods hit all alike
        for name, container in places.items():
            done = container.exec(inside) if container else run([shared + "/inside_bench", shared])
            for figure, value in figures(done.stdout).items():
                best[name][figure] = min(value, best[name].get(figure, value))
    print("| work | plain process, ns | %s |" % " | ".join(list(places)[1:]))
    print("|---|---|%s" % ("---|" * (len(places) - 1)))
    plain = best["plain process"]
    for figure, value in plain.items():
        print("| %s | %.0f | %s |" % (figure.replace("_", " "), value, " | ".join(
            "%.2f" % (best[name][figure] / value) for name in list(places)[1:])))


if __name__ == "__main__":
    main()
