# SPDX-License-Identifier: Apache-2.0
"""LXC with a private container path. Its cgroup is /lxc.payload.NAME, so names must be unique on the machine."""

import os

from ..cgroup import Cgroup, hierarchies
from ..shell import run
from .base import Container, Runtime


def _limits(cpus, cpuset, memory):
    """Settings for v1 or for pure v2."""
    v2 = set(hierarchies()) == {""}
    found = []
    if cpus and v2:
        found.append(("lxc.cgroup2.cpu.max", "%d 100000" % (cpus * 1e5)))
    elif cpus:
        found += [("lxc.cgroup.cpu.cfs_period_us", "100000"), ("lxc.cgroup.cpu.cfs_quota_us", int(cpus * 1e5))]
    if cpuset:
        found.append(("lxc.cgroup2.cpuset.cpus" if v2 else "lxc.cgroup.cpuset.cpus", cpuset))
    if memory:
        found.append(("lxc.cgroup2.memory.max" if v2 else "lxc.cgroup.memory.limit_in_bytes", memory))
    return found


class LxcRuntime(Runtime):
    NAME = "lxc"
    PARENTS = ("/lxc.pivot",)

    def exec_argv(self, container, argv):
        return ["lxc-attach", "-P", self.dir, "-n", container.id, "--clear-env", "-v", "PATH=/bin", "--", *argv]

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels):
        """labels: LXC has none."""
        del labels
        os.makedirs("%s/%s" % (self.dir, name))
        settings = [("lxc.rootfs.path", "dir:" + self.rootfs.path), ("lxc.uts.name", name), ("lxc.net.0.type", "empty"),
                    ("lxc.net.0.flags", "up"),  # its loopback
                    ("lxc.mount.auto", "proc:mixed sys:ro"), ("lxc.autodev", "1"), ("lxc.pty.max", "0"),
                    ("lxc.tty.max", "0"), ("lxc.environment", "PATH=/bin"), ("lxc.apparmor.profile", "unconfined")]
        settings += _limits(cpus, cpuset, memory)
        for outside, inside in mounts:
            settings.append(("lxc.mount.entry", "%s %s none bind,create=dir 0 0" % (outside, inside.lstrip("/"))))
        with open("%s/%s/config" % (self.dir, name), "w", encoding="utf-8") as file:
            file.writelines("%s = %s\n" % setting for setting in settings)
        run(["lxc-start", "-P", self.dir, "-n", name, "-o", "%s/%s.log" % (self.dir, name), "-l", "INFO", "--", *argv])
        pid = int(run(["lxc-info", "-P", self.dir, "-n", name, "-p", "-H"]).stdout)
        return Container(self, name, name, pid, "/lxc.payload." + name)

    def _stop(self, container):
        run(["lxc-stop", "-P", self.dir, "-n", container.id, "-k"], check=False)

    def _remove(self, container):
        self.stop(container)
        Cgroup("/lxc.monitor." + container.id).remove()
        run(["rm", "-rf", "%s/%s" % (self.dir, container.id)])
