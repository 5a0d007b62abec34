# SPDX-License-Identifier: Apache-2.0
"""The Debian package, built by CPack from what is built, and a Debian that has all it depends on."""

import functools
import glob
import os
import re

from .cleanup import workdir
from .rootfs import SYSTEMD_CACHE, systemd_root
from .shell import run
from .workloads import BUILD

PACKAGE_CACHE = os.path.join(os.path.dirname(SYSTEMD_CACHE), "package-root")


@functools.cache
def build_package():
    """The path of the package; nothing is compiled. The umask is one that must not matter."""
    folder = workdir()
    run(["cpack", "-G", "DEB", "--config", BUILD + "/CPackConfig.cmake", "-B", folder], timeout=120,
        umask=0o077)
    found = glob.glob(folder + "/*.deb")
    assert len(found) == 1, found
    return found[0]


def control_field(package, name):
    return run(["dpkg-deb", "-f", package, name]).stdout.strip()


def package_root(package):
    """A systemd_root() in which `dpkg -i` finds what the package depends on; it is built once."""
    depends = re.sub(r"\([^)]*\)", "", control_field(package, "Depends"))
    return systemd_root([name.strip() for name in depends.split(",")], PACKAGE_CACHE)
