# SPDX-License-Identifier: Apache-2.0
"""What a process costs, and crowds of containers for it to look after."""

import os
import random
import time

from .born import Born
from .cgroup import Cgroup
from .rootfs import BUSYBOX

# As Prometheus asks.
HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
           "Accept-Encoding": "gzip"}


def cpu_clock(pid):
    """Seconds in user and kernel mode of all threads so far, to the nanosecond: the process's CPU-time clock."""
    return time.clock_gettime((~pid << 3) | 2)


def resident_mib(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def rest():
    """A body for Born that does nothing, in a process as small as can be."""
    os.execv(BUSYBOX, ["sleep", "1000000"])


class Crowd:
    """So many cgroups with names like Docker's below `parent`, a process born in each. They have no metadata files."""

    def __init__(self, count, body=rest, parent="/docker"):
        numbers = random.Random(count)
        self._groups = [Cgroup("%s/%064x" % (parent, numbers.getrandbits(256))) for _ in range(count)]
        self._born = []
        self._body = body

    def __enter__(self):
        try:
            for group in self._groups:
                self._born.append(Born(group.create(), self._body))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        while self._born:
            self._born.pop().kill()
        for group in reversed(self._groups):
            group.remove()
