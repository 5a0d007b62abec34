#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent's own cgroup is charged by the number of containers, the kernel's maps and open files included: the
table of docs/operations.md.

usage: memory_bench.py [N]…
"""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + "/../support", HERE + "/../faults"]

from limited import MIB, Limited  # noqa: E402
from plimsoll_testbed import Agent, Crowd, watching  # noqa: E402

PARENT = "/plimsoll-crowd"
LIMIT_MIB = 1024  # of the unit
SETTLE = 3


def used(cgroup):
    """(MiB in use, of it the kernel's), as the cgroup's files tell."""
    stat = dict(line.split() for line in cgroup.read("memory.stat", "memory" if "memory" in cgroup.directories else "")
                .splitlines())
    if "memory" in cgroup.directories:
        kernels = int(cgroup.read("memory.kmem.usage_in_bytes", "memory"))
        return int(cgroup.read("memory.usage_in_bytes", "memory")) / MIB, kernels / MIB
    return int(cgroup.read("memory.current")) / MIB, int(stat["kernel"]) / MIB


def main():
    print("| containers | in use, MiB | of it the kernel's, MiB | most since the start, MiB |")
    print("|---|---|---|---|")
    for count in [int(word) for word in sys.argv[1:]] or [0, 20, 200]:
        with Limited(LIMIT_MIB) as limited, Crowd(count, parent=PARENT), \
                Agent({**watching(PARENT), "log": {"level": "info"}}, wrapper=limited.wrapper()) as agent:
            time.sleep(SETTLE)
            for _ in range(10):
                agent.page()
                time.sleep(0.2)
            print("| %d | %.1f | %.1f | %.1f |" % (count, *used(limited.cgroup), limited.most_used_mib()), flush=True)


if __name__ == "__main__":
    main()
