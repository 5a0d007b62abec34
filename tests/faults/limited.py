# SPDX-License-Identifier: Apache-2.0
"""A cgroup with a limit of memory or of processes, for an agent to be started in."""

import os

from startbed import Cgroup

MIB = 1 << 20


class Limited:
    def __init__(self, mib=None, pids=None):
        self.cgroup = Cgroup("/plimsoll-limited/%d-%d" % (os.getpid(), mib or pids)).create()
        self.cgroup.limit(memory=mib and mib * MIB, pids=pids)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cgroup.remove()

    def wrapper(self):
        """Whoever is started by this command is in it from the first instruction on."""
        files = " ".join(directory + "/cgroup.procs" for directory in self.cgroup.directories.values())
        return ["sh", "-c", 'for f in %s; do echo $$ >"$f" || exit 99; done; exec "$@"' % files, "sh"]

    def most_used_mib(self):
        """Kernel memory, maps too, included."""
        for directory in self.cgroup.directories.values():
            for name in ("memory.max_usage_in_bytes", "memory.peak"):
                if os.path.exists("%s/%s" % (directory, name)):
                    with open("%s/%s" % (directory, name), encoding="utf-8") as file:
                        return int(file.read()) / MIB
        return None
