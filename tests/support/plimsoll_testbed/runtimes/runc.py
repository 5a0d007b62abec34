# SPDX-License-Identifier: Apache-2.0
"""Plain runc: bundles written here, and a cgroup path of the test's choice, so that it can imitate any manager."""

import json
import os
import subprocess

from ..shell import CommandError, run
from .base import Container, Runtime

_CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE",
                 "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_NICE",
                 "CAP_SYS_PTRACE"]
_MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "size=65536k"]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=65536k"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
]


def _network(wanted):
    if wanted == "host":
        return []
    return [{"type": "network", **({"path": wanted} if wanted else {})}]


class RuncRuntime(Runtime):
    NAME = "runc"
    PARENTS = ("/plimsoll-test",)

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, cgroup=None,
               network=""):
        """cgroup: the path; default /plimsoll-test/NAME. labels become annotations.

        network: the path of a network namespace, or "host"; default: an empty one of its own.
        """
        cgroup = cgroup or "/plimsoll-test/" + name
        bundle = "%s/bundles/%s" % (self.dir, name)
        os.makedirs(bundle)
        with open(bundle + "/config.json", "w", encoding="utf-8") as file:
            spec = self._spec(argv, mounts, cpus, cpuset, memory, labels, cgroup)
            spec["linux"]["namespaces"] += _network(network)
            json.dump(spec, file)
        with open(bundle + "/log", "wb") as log:
            done = subprocess.run(self._runc("run", "-d", "-b", bundle, "--pid-file", bundle + "/pid", name),
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60, check=False)
        if done.returncode != 0:
            with open(bundle + "/log", encoding="utf-8", errors="replace") as log:
                raise CommandError("runc run %s: exit %d\n%s" % (name, done.returncode, log.read()))
        with open(bundle + "/pid", encoding="utf-8") as file:
            pid = int(file.read())
        return Container(self, name, name, pid, cgroup)

    def log(self, container):
        """What the container's processes wrote to stdout and stderr."""
        with open("%s/bundles/%s/log" % (self.dir, container.name), encoding="utf-8", errors="replace") as log:
            return log.read()

    def exec_argv(self, container, argv):
        return self._runc("exec", container.id, *argv)

    def _stop(self, container):
        run(self._runc("kill", container.id, "KILL"), check=False)

    def _remove(self, container):
        run(self._runc("delete", "--force", container.id))
        run(["rm", "-rf", "%s/bundles/%s" % (self.dir, container.name)])

    def _runc(self, *arguments):
        return ["runc", "--root", self.dir + "/state", *arguments]

    def _spec(self, argv, mounts, cpus, cpuset, memory, labels, cgroup):
        cpu = {}
        if cpus:
            cpu.update(quota=int(cpus * 100000), period=100000)
        if cpuset:
            cpu.update(cpus=cpuset, mems="0")
        resources = {"devices": [{"allow": True, "access": "rwm"}], "cpu": cpu}
        if memory:
            resources["memory"] = {"limit": memory}
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False, "user": {"uid": 0, "gid": 0}, "args": argv, "cwd": "/",
                "env": ["PATH=/bin", "TERM=dumb"],
                "capabilities": {kind: _CAPABILITIES for kind in ("bounding", "effective", "permitted")},
            },
            "root": {"path": self.rootfs.path, "readonly": True},
            "hostname": "container",
            "annotations": labels,
            "mounts": _MOUNTS + [{"destination": inside, "type": "bind", "source": outside,
                                  "options": ["rbind", "rw"]} for outside, inside in mounts],
            "linux": {
                "cgroupsPath": cgroup, "resources": resources,
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
            },
        }
