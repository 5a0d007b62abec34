# SPDX-License-Identifier: Apache-2.0
"""plimsoll.service on the machine's own systemd: with its four capabilities and in its sandbox, all that this kernel can
do is done, and the containers of others are seen whole."""

import json
import os
import shutil
import sys
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE + "/../support"]

# pylint: disable=wrong-import-position
from plimsoll_testbed import BINARY, Rootfs, RuncRuntime, parse, run, wait_until  # noqa: E402
from systemd_runtimes import Services  # noqa: E402

CONFIG = {"containers": {"cgroups": [{"path": "/plimsoll-test/*"}]}}


def metrics():
    with urllib.request.urlopen("http://127.0.0.1:9752/metrics", timeout=20) as page:
        return parse(page.read().decode())


def show(name):
    return run(["systemctl", "show", "-P", name, "plimsoll"]).stdout.strip()


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.copy(BINARY, "/usr/bin/plimsoll")
        shutil.copy(HERE + "/../../deploy/systemd/plimsoll.service", "/run/systemd/system/plimsoll.service")
        os.makedirs("/etc/plimsoll", exist_ok=True)
        with open("/etc/plimsoll/plimsoll.yaml", "w", encoding="utf-8") as file:
            json.dump(CONFIG, file)
        run(["systemctl", "daemon-reload"])
        cls.rootfs = Rootfs()

    def setUp(self):
        run(["systemctl", "start", "plimsoll"])  # until it says that it is ready
        self.addCleanup(run, ["systemctl", "stop", "plimsoll"])

    def test_every_probe_is_up_and_nothing_is_missed(self):
        families = metrics()
        up = families.by("probe", "plimsoll_probe_up")
        self.assertGreater(len(up), 5)
        self.assertEqual({probe for probe, value in up.items() if value != 1}, set(), run(
            ["journalctl", "--no-pager", "-o", "cat", "-u", "plimsoll"]).stdout)
        self.assertEqual(show("ActiveState"), "active")

    def test_services_and_containers_are_counted_with_their_limits(self):
        with Services(self.rootfs) as services, RuncRuntime(self.rootfs) as runc:
            script = "; ".join(["/bin/true"] * 23) + "; exec sleep 1000"
            service = services.run("beside", ["sh", "-c", script], memory=48 << 20)
            container = runc.run("inside", ["sh", "-c", script.replace("/bin/true; ", "", 6)], memory=64 << 20)
            for one, forks, limit in ((service, 23, 48 << 20), (container, 17, 64 << 20)):
                identity = one.cgroup_path

                def counted(identity=identity, forks=forks):
                    families = metrics()
                    found = families.samples("container_process_exits_total", id=identity, outcome="success")
                    return families if found and found[0].value >= forks else None
                families = wait_until(counted, 20, "%d exits" % forks, interval=0.1)
                self.assertEqual(families.value("container_spec_memory_limit_bytes", id=identity), limit)
                self.assertEqual(families.value("container_threads", id=identity), 1)
            exits = families.value("container_process_exits_total", id=service.cgroup_path, outcome="success")
            self.assertEqual(exits, 23)

    def test_it_ends_well(self):
        run(["systemctl", "stop", "plimsoll"])
        self.assertEqual((show("Result"), show("ExecMainStatus")), ("success", "0"))


if __name__ == "__main__":
    unittest.main()
