# SPDX-License-Identifier: Apache-2.0
"""Root file systems: a static busybox with the known workloads, and a Debian with systemd for booted containers."""

import os
import shutil

from . import workloads
from .cleanup import workdir
from .shell import run

BUSYBOX = "/bin/busybox"
SYSTEMD_CACHE = os.environ.get("PLIMSOLL_SYSTEMD_ROOT", "/var/cache/plimsoll-tests/systemd-root")


class Rootfs:
    """bin/ with busybox, a link for each applet and the workloads; empty mount points beside it."""

    def __init__(self, with_workloads=True):
        self.path = workdir() + "/rootfs"
        for name in ("bin", "proc", "sys", "dev", "tmp", "etc", "run", "root", "out"):
            os.makedirs("%s/%s" % (self.path, name))
        for link, target in (("sbin", "bin"), ("usr", ".")):
            os.symlink(target, "%s/%s" % (self.path, link))
        shutil.copy(BUSYBOX, self.path + "/bin/busybox")
        for applet in run([BUSYBOX, "--list"]).stdout.split():
            if applet != "busybox":
                os.symlink("busybox", "%s/bin/%s" % (self.path, applet))
        with open(self.path + "/etc/passwd", "w", encoding="utf-8") as passwd:
            passwd.write("root:x:0:0:root:/root:/bin/sh\n")
        with open(self.path + "/etc/os-release", "w", encoding="utf-8") as release:
            release.write("ID=busybox\n")  # systemd-nspawn asks for the file
        if with_workloads:
            for name in workloads.NAMES:
                shutil.copy(workloads.binary(name), "%s/bin/%s" % (self.path, name))


def systemd_root(packages=(), path=SYSTEMD_CACHE):
    """A minimal Debian whose init is systemd: built once (half a minute), then taken from a cache.

    packages: what it has besides; another list makes it anew.
    """
    wanted = ",".join(["systemd", "systemd-sysv", "dbus", *sorted(packages)])
    if not os.path.exists(path + "/usr/lib/systemd/systemd") or (packages and _read(path + ".packages") != wanted):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        building = path + ".building-%d" % os.getpid()
        try:
            run(["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=" + wanted, "bookworm",
                 building], timeout=900)
            shutil.rmtree(path, ignore_errors=True)
            os.rename(building, path)
            with open(path + ".packages", "w", encoding="utf-8") as file:
                file.write(wanted)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return path


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
