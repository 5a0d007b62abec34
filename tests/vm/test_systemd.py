# SPDX-License-Identifier: Apache-2.0
"""A host as most are: systemd as PID 1, and runtimes that let systemd make their cgroups; on cgroup v2, or on v1 as the
kernel's command line wants it."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE + "/../support", HERE + "/../e2e"]

# pylint: disable=wrong-import-position
from dropin import PURE_V2, RuntimeCase  # noqa: E402
from plimsoll_testbed import (Agent, Rootfs, RuncRuntime, Waiter, command, hierarchies, measure, note,  # noqa: E402
                              workdir)
from systemd_runtimes import DockerScopes, PodmanScopes, Services, service_cgroup  # noqa: E402

WATCHED = {"containers": {"discover": ["systemd", "podman"], "cgroups": [{"path": "/plimsoll-test/*"}]}}


def setUpModule():
    # pylint: disable=global-variable-undefined
    global rootfs, podman, agent
    rootfs = Rootfs()
    podman = unittest.enterModuleContext(PodmanScopes(rootfs))
    agent = unittest.enterModuleContext(Agent(WATCHED, [podman]))


class Machine(unittest.TestCase):
    def test_it_is_what_it_should_be(self):
        with open("/proc/cmdline", encoding="utf-8") as words:
            v1 = "unified_cgroup_hierarchy=0" in words.read()
        if v1:
            self.assertNotIn("", hierarchies())
            self.assertLessEqual({"memory", "blkio", "pids", "name=systemd"},
                                 {name for names in hierarchies() for name in names.split(",")})
        else:
            self.assertEqual(hierarchies(), {"": "/sys/fs/cgroup"})
            with open("/sys/fs/cgroup/cgroup.subtree_control", encoding="utf-8") as file:
                self.assertLessEqual({"cpu", "cpuset", "io", "memory", "pids"}, set(file.read().split()))
        with open("/proc/1/comm", encoding="utf-8") as file:
            self.assertEqual(file.read(), "systemd\n")

    def test_everything_that_is_not_off_can_be_done(self):
        done = command("check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        up = agent.metrics().by("probe", "plimsoll_probe_up")
        self.assertEqual({probe for probe, value in up.items() if value != 1}, set() if "" in hierarchies() else {"traffic"})
        self.assertLessEqual({"ledger", "process", "cpu", "memory", "diskio", "tasks"} | ({"pressure"} if PURE_V2 else set()),
                             set(up))


class Names(unittest.TestCase):
    def test_containers_and_services_are_found_by_name(self):
        container = podman.run("known-by-name", ["sleep", "1000"])
        self.addCleanup(container.remove)
        services = self.enterContext(Services(rootfs))
        service = services.run("known-service", ["sleep", "1000"])
        for runtime, name, one in (("podman", "known-by-name", container), ("systemd", "known-service.service", service)):
            families = agent.wait_value("container_threads", bool, name=name)
            self.assertEqual(families.by("id", "container_info", name=name, runtime=runtime), {one.cgroup_path: 1})
            note("service", "names what %s runs" % runtime, "yes")


class Service(unittest.TestCase):
    def test_it_is_found_and_counted_from_its_first_process(self):
        with Services(rootfs) as services:
            script = "for i in 1 2 3 4 5 6 7; do /bin/true; done; exec sleep 1000"
            service = services.run("counted", ["sh", "-c", script])
            self.assertEqual(service.cgroup_path, service_cgroup("counted"))
            families = agent.wait_value("container_process_forks_total", lambda forks: forks and forks >= 7,
                                        id=service.cgroup_path)
            self.assertEqual(families.value("container_process_exits_total", id=service.cgroup_path, outcome="success"),
                             7)
            self.assertEqual(families.value("container_info", id=service.cgroup_path, runtime="systemd"), 1)
            states = families.sum("container_thread_seconds_total", id=service.cgroup_path)
            lifetime = families.value("container_thread_lifetime_seconds_total", id=service.cgroup_path)
            self.assertAlmostEqual(states, lifetime, delta=0.001)

    def test_its_waits_are_told_apart(self):
        with Services(rootfs) as services, Waiter(services, "waits", workdir()) as waiter:
            agent.wait_value("container_threads", lambda threads: threads == 1, id=waiter.container.cgroup_path)
            for kind in ("nanosleep", "futex_wait", "pipe_read", "unix_recv", "tcp_recv", "epoll_wait", "wait4"):
                with self.subTest(kind):
                    self.assertEqual(measure(agent, waiter, kind, 0.5).problems(), [])

    def test_a_container_inside_its_cgroup_is_counted_apart(self):
        """As a runtime's daemon has them that was given its subtree."""
        with Services(rootfs) as services, RuncRuntime(rootfs) as runc:
            outer = services.run("outer", ["sleep", "1000"], properties={"Delegate": "yes"})
            inner = runc.run("inner", ["sleep", "1000"])
            families = agent.wait_value("container_threads", lambda threads: threads == 1, id=inner.cgroup_path)
            self.assertEqual(families.value("container_threads", id=outer.cgroup_path), 1)


class Limits(RuntimeCase):
    """cAdvisor's metrics against the files of v2, at rest, at work, and when the limits are hit."""

    def test_a_service(self):
        with Services(rootfs) as services:
            self.check_runtime(services)

    def test_podman_with_crun_in_a_scope(self):
        self.check_runtime(podman)

    def test_docker_in_a_scope(self):
        with DockerScopes(rootfs) as docker:
            self.check_runtime(docker)


if __name__ == "__main__":
    unittest.main()
