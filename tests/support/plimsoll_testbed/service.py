# SPDX-License-Identifier: Apache-2.0
"""plimsoll.service as an administrator has it: the package, installed on a booted Debian that can load BPF programs."""

import json
import os
import shutil

from .cgroup import Cgroup
from .cleanup import workdir
from .metrics import parse
from .package import build_package, package_root
from .shell import run, wait_until

UNIT = "plimsoll.service"
METRICS = "http://127.0.0.1:9752/metrics"


class Service:
    """The host is `container`; `shared` is its /out. Commands run in it, as root."""

    def __init__(self, runtime, name):
        package = build_package()
        self.shared = workdir()
        shutil.copy(package, self.shared + "/plimsoll.deb")
        self.container = runtime.boot(name, root=package_root(package), like_host=True, mounts=[(self.shared, "/out")])
        self.cgroup_path = self.container.cgroup_path + "/payload/system.slice/" + UNIT

    def install(self):
        return self.sh("dpkg -i /out/plimsoll.deb")

    def sh(self, script, check=True):
        return self.container.exec(["sh", "-c", script], check=check).stdout

    def show(self, *properties):
        """{property: value} as systemd has them."""
        lines = self.sh("systemctl show %s -p %s" % (UNIT, ",".join(properties))).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait_for(self, timeout=20, **wanted):
        """Until each of these properties has that value, or satisfies that predicate."""
        def reached():
            seen = self.show(*wanted)
            return all(check(seen[name]) if callable(check) else seen[name] == check
                       for name, check in wanted.items()) and seen
        return wait_until(reached, timeout, "%s with %s" % (UNIT, wanted), interval=0.1)

    def write(self, path, text):
        with open(self.shared + "/text", "w", encoding="utf-8") as file:
            file.write(text)
        self.sh("mkdir -p %s && cp /out/text %s && chmod 644 %s" % (os.path.dirname(path), path, path))

    def configure(self, config):
        """Keys of the configuration file, or its text."""
        self.write("/etc/plimsoll/plimsoll.yaml", config if isinstance(config, str) else json.dumps(config))

    def drop_in(self, text):
        self.write("/run/systemd/system/%s.d/test.conf" % UNIT, text)
        self.sh("systemctl daemon-reload")

    def restart(self):
        self.sh("systemctl restart " + UNIT, check=False)

    def pid(self):
        """The agent's, as the machine outside knows it."""
        [pid] = Cgroup(self.cgroup_path).procs()
        return pid

    def metrics(self):
        page = run(["nsenter", "-t", self.container.pid, "-n", "curl", "-sf", "--max-time", "10", METRICS])
        return parse(page.stdout)

    def log(self):
        return self.sh("journalctl --no-pager -o cat -u " + UNIT)
