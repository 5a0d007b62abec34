#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plimsoll beside tools that Debian has, on the same containers of Docker: what each costs, and what each attributes.

usage: side_by_side_bench.py [--containers N]… [--seconds S] [--record]

Each tool has a turn of its own: idle for S seconds, then asked every second, or left to report every second, for S
seconds. Counted is the CPU time of its processes, of those that gather for it (for `docker stats`: dockerd, containerd
and the shims) and, for Plimsoll, of its programs in the kernel. Then all of them watch one container do known work, and
what each attributes to it is compared with the cgroup's own files. --record writes the figures to results.json and
docs/overhead.md. Fails when Plimsoll attributes something else than the cgroup's files say, or costs more than what reads
all processes does.
"""

import argparse
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../support"))

import tables  # noqa: E402
from plimsoll_testbed import DockerRuntime, LoopDisk, cpu_clock, wait_until  # noqa: E402
from tools import PACKAGES, PERIOD, all_tools  # noqa: E402

SETTLE = 3
SHORT = 400  # processes of 5 ms each
# What the worker does, as its shell takes it; dd writes around the page cache, so that the cgroup is charged. What is a
# single process begins and ends at leisure: a reporter sees it at the second.
WORK = {
    "cpu_long": "burner 6 1",
    "cpu_short": "forker %d 5000" % SHORT,
    "written_long": "(for i in $(seq 60); do dd if=/dev/zero bs=1M count=1; sleep 0.1; done; sleep 2)"
                    " | exec dd of=/data/long bs=1M iflag=fullblock oflag=direct",
    "written_short": "for i in $(seq 100); do dd if=/dev/zero of=/data/short bs=1M count=1 oflag=direct; done",
}


class Worker:
    """A container that does one piece of work at a time and stays; it has a disk of its own."""

    LOOP = "while true; do read -r n work </data/orders; sh -c \"$work\" >/data/said.$n 2>&1; touch /data/done.$n; done"

    def __init__(self, docker):
        self.disk, self._count = LoopDisk(mib=256, mounted=True, direct=True), 0
        self._dir = self.disk.path
        os.mkfifo(self._dir + "/orders")
        self.container = docker.run("worker", ["sh", "-c", self.LOOP], mounts=[(self._dir, "/data")])
        self.disk.count_for(self.container.cgroup, ("write",))

    def begin(self, work):
        self._count += 1
        with open(self._dir + "/orders", "w", encoding="utf-8") as orders:
            orders.write("%d %s\n" % (self._count, work))

    def done(self):
        return os.path.exists("%s/done.%d" % (self._dir, self._count))

    def said(self):
        with open("%s/said.%d" % (self._dir, self._count), encoding="utf-8") as file:
            return file.read()

    def charged(self):
        """(CPU seconds, bytes written to the disk) by the cgroup's own files."""
        return self.container.cpu_usage_ns() / 1e9, written(self.container.cgroup, self.disk)


def written(cgroup, disk):
    if "blkio" in cgroup.directories:
        lines = (line.split() for line in cgroup.read("blkio.throttle.io_service_bytes", "blkio").splitlines())
        return sum(int(words[2]) for words in lines if words[:2] == [disk.number, "Write"])
    lines = (line.split() for line in cgroup.read("io.stat").splitlines())
    return sum(int(word.removeprefix("wbytes=")) for number, *words in lines if number == disk.number
               for word in words if word.startswith("wbytes="))


def spent(tool, seconds, ask):
    """What it used per minute while that lasted, and what it answered."""
    in_kernel, answers = tool.kernel_cpu(), []
    begin, before = time.monotonic(), tool.cpu()
    while time.monotonic() < begin + seconds:
        time.sleep(max(0.0, begin + (len(answers) + 1) * PERIOD - time.monotonic()))
        answers.append(tool.ask() if ask else None)
    after, took = tool.cpu(), time.monotonic() - begin
    return {"cpu": (after - before) * 60 / took, "kernel": (tool.kernel_cpu() - in_kernel) * 60 / took}, answers


def costs(tool, seconds):
    """Its turn."""
    found = {}
    if tool.reports and tool.helpers():  # they are there when nobody looks
        helpers = tool.helpers()
        before, begin = sum(map(cpu_clock, helpers)), time.monotonic()
        time.sleep(seconds)
        found["idle"] = {"cpu": (sum(map(cpu_clock, helpers)) - before) * 60 / (time.monotonic() - begin)}
    with tool:
        time.sleep(SETTLE)
        tool.ask()
        if not tool.reports:
            found["idle"], _ = spent(tool, seconds, ask=False)
        found["asked"], answers = spent(tool, seconds, ask=True)
        found["resident_mib"] = tool.resident()
    if tool.reports:
        found["answer_seconds"] = tool.time_once()
    else:
        found["answer_seconds"] = statistics.median(took for took, _, _ in answers)
    for at, name in ((1, "wire_bytes"), (2, "page_bytes")):
        found[name] = statistics.mean(answer[at] for answer in answers)
    return found


def attributed(tools, worker, work):
    """{tool: parts of what the kernel charged}, and how much that was."""
    def look():
        of = worker.container
        return worker.charged(), {tool.name: (*tool.used(of, worker.disk), tool.processes(of)) for tool in tools}

    def ask():
        time.sleep(PERIOD)
        for tool in tools:
            tool.ask()
        return worker.done()
    ask()
    charged, before = look()
    worker.begin(work)
    wait_until(ask, 120, "end of " + work)
    said = worker.said()
    for _ in range(3):  # reporters are late
        ask()
    charged_after, after = look()
    kernel = [new - old for new, old in zip(charged_after, charged)]
    return {"charged": dict(zip(("cpu_seconds", "written_bytes"), kernel)), "said": said.strip()[:200],
            "tools": {name: dict(zip(("cpu_seconds", "written_bytes", "processes"),
                                     (None if new is None else new - old
                                      for new, old in zip(after[name], before[name])))) for name in after}}


def measure(count, seconds):
    docker = DockerRuntime()
    try:
        for number in range(count - 1):
            docker.run("idle-%d" % number, ["sleep", "1000000"])
        worker = Worker(docker)
        found = {"seconds": seconds, "costs": {}, "work": {}}
        for tool in all_tools(docker):
            found["costs"][tool.name] = costs(tool, seconds)
            print("%d containers: %s: %s" % (count, tool.name, json.dumps(found["costs"][tool.name])), flush=True)
        tools = all_tools(docker)
        try:
            for tool in tools:
                tool.start()
            time.sleep(SETTLE)
            for name, work in WORK.items():
                found["work"][name] = attributed(tools, worker, work)
                print("%d containers: %s: %s" % (count, name, json.dumps(found["work"][name])), flush=True)
        finally:
            for tool in tools:
                if tool.pid:
                    tool.stop()
        return found
    finally:
        docker.close()


def problems(found):
    """What is not as it has to be."""
    for count, one in found.items():
        for name, work in one["work"].items():
            ours, kernels = work["tools"]["Plimsoll"], work["charged"]
            for what, allowed in (("cpu_seconds", 0.01), ("written_bytes", 0)):
                if abs(ours[what] - kernels[what]) > allowed + 0.005 * kernels[what]:
                    yield "%s containers, %s: %s is %r, %r by the kernel" % (count, name, what, ours[what], kernels[what])
        processes = one["work"]["cpu_short"]["tools"]["Plimsoll"]["processes"]
        if processes != SHORT + 2:  # the shell and the parent of the short ones
            yield "%s containers: %r processes instead of %d" % (count, processes, SHORT + 2)
        ours, all_processes = (sum(one["costs"][tool]["asked"].values()) for tool in ("Plimsoll", "process-exporter"))
        if ours > all_processes:
            yield "%s containers: %.2f CPU seconds a minute, process-exporter %.2f" % (count, ours, all_processes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--containers", type=int, action="append")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    found = {str(count): measure(count, options.seconds) for count in options.containers or [20, 200]}
    if options.record:
        tables.record("side_by_side", {"containers": found, "versions": tables.versions(PACKAGES)})
    wrong = list(problems(found))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
