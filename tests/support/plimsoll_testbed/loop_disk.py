# SPDX-License-Identifier: Apache-2.0
"""A disk of the test's own: a loop device, with a file system on it if wanted."""

import os

from .cleanup import defer, workdir
from .shell import run


class LoopDisk:
    """directory: where its image is, if not in one of its own. direct: past the page cache, whose pages would be charged to
    who writes to the disk."""

    def __init__(self, mib=16, mounted=False, directory=None, direct=False):
        self.dir = directory or workdir()
        os.makedirs(self.dir, exist_ok=True)
        with open(self.dir + "/image", "wb") as image:
            image.truncate(mib << 20)
        self.device = run(["losetup", "--find", "--show", *(["--direct-io=on"] if direct else []),
                           self.dir + "/image"]).stdout.strip()
        self._undo = defer(lambda: run(["losetup", "--detach", self.device], check=False))
        node = os.stat(self.device).st_rdev
        self.number = "%d:%d" % (os.major(node), os.minor(node))
        self.path = None
        if mounted:
            run(["mke2fs", "-q", "-t", "ext4", self.device])
            self.path = self.dir + "/mounted"
            os.mkdir(self.path)
            run(["mount", self.device, self.path])
            defer(lambda: run(["umount", "--lazy", self.path], check=False))

    def swap_on(self):
        """The machine swaps to it; returns what ends that."""
        run(["mkswap", self.device])
        run(["swapon", self.device])
        return defer(lambda: run(["swapoff", self.device], check=False))

    def freeze(self):
        """Whatever is written to its file system waits; returns what ends that."""
        run(["fsfreeze", "--freeze", self.path])
        return defer(lambda: run(["fsfreeze", "--unfreeze", self.path], check=False))

    def merges(self):
        """How many reads and how many writes the kernel has merged so far, whoever's they were."""
        with open("/sys/block/%s/stat" % os.path.basename(self.device), encoding="utf-8") as file:
            told = list(map(int, file.read().split()))
        return told[1], told[5]

    def count_for(self, cgroup, directions=("read", "write")):
        """v1's account of disks is kept only for those that have a limit, on some kernels in that direction: one that is never
        reached."""
        if "blkio" not in cgroup.directories:
            cgroup.enable_controllers()
            return
        for direction in directions:
            with open("%s/blkio.throttle.%s_bps_device" % (cgroup.directories["blkio"], direction), "w",
                      encoding="utf-8") as limit:
                limit.write("%s %d\n" % (self.number, 1 << 40))
