# SPDX-License-Identifier: Apache-2.0
"""A disk of the test's own: a loop device, with a file system on it if wanted."""

import os

from .cleanup import defer, workdir
from .shell import run


class LoopDisk:
    def __init__(self, mib=16, mounted=False):
        self.dir = workdir()
        with open(self.dir + "/image", "wb") as image:
            image.truncate(mib << 20)
        self.device = run(["losetup", "--find", "--show", self.dir + "/image"]).stdout.strip()
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

    def count_for(self, cgroup):
        """New kernels keep v1's account of disks only for those that have a limit somewhere: one that is never reached."""
        if "blkio" not in cgroup.directories:
            return
        with open(cgroup.directories["blkio"] + "/blkio.throttle.read_bps_device", "w", encoding="utf-8") as limit:
            limit.write("%s %d\n" % (self.number, 1 << 40))
