# SPDX-License-Identifier: Apache-2.0
"""plimsoll.service on the machine's own systemd: with its five capabilities and in its sandbox, all that this kernel can
do is done, the containers of others are seen whole, and it reloads, recovers and ends."""

import functools
import json
import os
import re
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE + "/../support"]

# pylint: disable=wrong-import-position
from plimsoll_testbed import BINARY, CANNOT_START, Rootfs, RuncRuntime, http_get, note, page_by, parse, run, wait_until  # noqa: E402
from systemd_runtimes import Services  # noqa: E402

CONFIG = {"containers": {"cgroups": [{"path": "/plimsoll-test/*"}]}}


def metrics():
    return parse(page_by(functools.partial(http_get, 9752)))


def show(name):
    return run(["systemctl", "show", "-P", name, "plimsoll"]).stdout.strip()


def journal():
    return run(["journalctl", "--no-pager", "-o", "cat", "-u", "plimsoll"]).stdout


def threads():
    """What the kernel says of each thread of the agent."""
    tasks = "/proc/%s/task" % show("MainPID")
    for task in sorted(os.listdir(tasks), key=int):
        with open("%s/%s/status" % (tasks, task), encoding="utf-8") as status:
            yield dict(re.findall(r"^(\w+):\s*(.*)$", status.read(), re.MULTILINE))


def mask(capabilities):
    return "%016x" % sum(1 << capability for capability in capabilities)


class Unit(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.copy(BINARY, "/usr/bin/plimsoll")
        shutil.copy(HERE + "/../../deploy/systemd/plimsoll.service", "/run/systemd/system/plimsoll.service")
        os.makedirs("/etc/plimsoll", exist_ok=True)
        cls.configure(CONFIG)
        run(["systemctl", "daemon-reload"])
        cls.rootfs = Rootfs()
        started = run(["systemctl", "start", "plimsoll"], check=False)  # until it says that it is ready
        assert started.returncode == 0, journal()
        cls.addClassCleanup(run, ["systemctl", "stop", "plimsoll"])

    @staticmethod
    def configure(config):
        with open("/etc/plimsoll/plimsoll.yaml", "w", encoding="utf-8") as file:
            json.dump(config, file)

    def test_every_probe_is_up_and_nothing_is_missed(self):
        families = metrics()
        up = families.by("probe", "plimsoll_probe_up")
        self.assertGreater(len(up), 5)
        self.assertEqual({probe for probe, value in up.items() if value != 1}, CANNOT_START, journal())
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

    def test_it_has_its_capabilities_and_no_others_under_a_user_of_its_own(self):
        listed = {2, 12, 19, 38, 39}  # capabilities(7): those that the unit names
        loop, *web = threads()
        for thread in (loop, *web):
            self.assertEqual((thread["CapBnd"], thread["NoNewPrivs"], thread["Seccomp"]), (mask(listed), "1", "2"))
            self.assertNotIn("0", thread["Uid"].split())
        self.assertEqual((loop["CapEff"], loop["CapPrm"]), (mask(listed - {38, 39}), mask(listed)))
        self.assertGreater(len(web), 0)
        self.assertEqual({(thread["CapEff"], thread["CapPrm"]) for thread in web}, {(mask(()),) * 2})
        note("service", "starts in its sandbox with its five capabilities, under a user of its own", "yes")

    def test_its_limits_are_those_of_the_unit(self):
        process = "/proc/" + show("MainPID")
        with open(process + "/limits", encoding="utf-8") as file:
            limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
        self.assertEqual(limits["Max locked memory"], [str(1 << 30)] * 2)
        self.assertEqual(limits["Max open files"], ["65536"] * 2)
        with open(process + "/oom_score_adj", encoding="utf-8") as file:
            self.assertEqual(int(file.read()), -500)
        self.assertEqual(show("MemoryMax"), str(1 << 30))

    def test_it_reloads(self):
        self.configure({**CONFIG, "smoothing": {"windows": ["7s"]}, "probes": {"io": {"enabled": True}, "tcp": {"enabled": False}}})
        self.addCleanup(run, ["systemctl", "reload", "plimsoll"])
        self.addCleanup(self.configure, CONFIG)
        pid = show("MainPID")
        with RuncRuntime(self.rootfs) as runc:
            container = runc.run("stays", ["sleep", "1000"])
            wait_until(lambda: metrics().samples("container_threads", id=container.cgroup_path), 20, "the container")
            before = metrics().value("container_thread_lifetime_seconds_total", id=container.cgroup_path)
            run(["systemctl", "reload", "plimsoll"])
            families = wait_until(lambda: (page := metrics()).samples("container_cpu_usage_cores", window="7s") and page, 20,
                                  "the new window")
            self.assertEqual(families.value("plimsoll_config_last_reload_successful"), 1)
            self.assertEqual(families.value("plimsoll_probe_up", probe="io"), 1, journal())
            self.assertEqual(families.samples("plimsoll_probe_up", probe="tcp"), [])
            self.assertGreaterEqual(families.value("container_thread_lifetime_seconds_total", id=container.cgroup_path),
                                    before)
            self.configure(CONFIG)
            run(["systemctl", "reload", "plimsoll"])
            families = wait_until(lambda: (page := metrics()).samples("plimsoll_probe_up", probe="tcp") and page, 20,
                                  "the probe that was off")
            self.assertEqual(families.value("plimsoll_probe_up", probe="tcp"), 1, journal())
        self.assertEqual(show("MainPID"), pid)
        note("service", "reloads", "yes")

    def test_its_watchdog_is_fed(self):
        first, restarts = int(show("WatchdogTimestampMonotonic")), show("NRestarts")
        self.assertGreater(first, 0)
        wait_until(lambda: int(show("WatchdogTimestampMonotonic")) > first, 30, "the next sign of life")
        self.assertEqual(show("NRestarts"), restarts)
        note("service", "feeds its watchdog", "yes")

    def test_it_recovers_and_ends_well(self):
        pid, restarts = show("MainPID"), int(show("NRestarts"))
        run(["systemctl", "kill", "-s", "ABRT", "plimsoll"])
        wait_until(lambda: int(show("NRestarts")) > restarts and show("ActiveState") == "active", 60, "its restart")
        self.assertNotEqual(show("MainPID"), pid)
        self.assertEqual({probe for probe, up in metrics().by("probe", "plimsoll_probe_up").items() if not up}, CANNOT_START)
        note("service", "is started again after SIGABRT", "yes")
        run(["systemctl", "stop", "plimsoll"])
        self.assertEqual((show("Result"), show("ExecMainStatus")), ("success", "0"))
        note("service", "stops", "yes")
        run(["systemctl", "start", "plimsoll"])


if __name__ == "__main__":
    unittest.main()
