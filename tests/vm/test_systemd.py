# SPDX-License-Identifier: Apache-2.0
"""A host as most are: systemd as PID 1, pure cgroup v2, and runtimes that let systemd make their cgroups."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [HERE + "/../support", HERE + "/../e2e"]

# pylint: disable=wrong-import-position
from dropin import RuntimeCase  # noqa: E402
from plimsoll_testbed import Agent, Rootfs, RuncRuntime, Waiter, command, hierarchies, measure, workdir  # noqa: E402
from systemd_runtimes import DockerScopes, PodmanScopes, Services, service_cgroup  # noqa: E402


def setUpModule():
    # pylint: disable=global-variable-undefined
    global rootfs
    rootfs = Rootfs()


class Machine(unittest.TestCase):
    def test_it_is_what_it_should_be(self):
        self.assertEqual(hierarchies(), {"": "/sys/fs/cgroup"})
        with open("/sys/fs/cgroup/cgroup.subtree_control", encoding="utf-8") as file:
            self.assertLessEqual({"cpu", "cpuset", "io", "memory", "pids"}, set(file.read().split()))
        with open("/proc/1/comm", encoding="utf-8") as file:
            self.assertEqual(file.read(), "systemd\n")

    def test_everything_that_is_not_off_can_be_done(self):
        done = command("check")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with Agent() as agent:
            up = agent.metrics().by("probe", "plimsoll_probe_up")
        self.assertEqual({probe for probe, value in up.items() if value != 1}, set())
        self.assertLessEqual({"ledger", "process", "cpu", "memory", "diskio", "pressure", "tasks"}, set(up))


class Service(unittest.TestCase):
    def test_it_is_found_and_counted_from_its_first_process(self):
        with Services(rootfs) as services, Agent({"containers": {"discover": ["systemd"]}}) as agent:
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
        with Services(rootfs) as services, Agent({"containers": {"discover": ["systemd"]}}) as agent, \
                Waiter(services, "waits", workdir()) as waiter:
            agent.wait_value("container_threads", lambda threads: threads == 1, id=waiter.container.cgroup_path)
            for kind in ("nanosleep", "futex_wait", "pipe_read", "unix_recv", "tcp_recv", "epoll_wait", "wait4"):
                with self.subTest(kind):
                    self.assertEqual(measure(agent, waiter, kind, 0.5).problems(), [])

    def test_a_container_inside_its_cgroup_is_counted_apart(self):
        """As a runtime's daemon has them that was given its subtree."""
        with Services(rootfs) as services, RuncRuntime(rootfs) as runc:
            outer = services.run("outer", ["sleep", "1000"], properties={"Delegate": "yes"})
            config = {"containers": {"discover": ["systemd"], "cgroups": [{"path": "/plimsoll-test/*"}]}}
            with Agent(config) as agent:
                inner = runc.run("inner", ["sleep", "1000"])
                families = agent.wait_value("container_threads", lambda threads: threads == 1, id=inner.cgroup_path)
                self.assertEqual(families.value("container_threads", id=outer.cgroup_path), 1)


class Limits(RuntimeCase):
    """cAdvisor's metrics against the files of v2, at rest, at work, and when the limits are hit."""

    def test_a_service(self):
        with Services(rootfs) as services:
            self.check_runtime(services)

    def test_podman_with_crun_in_a_scope(self):
        with PodmanScopes(rootfs) as podman:
            self.check_runtime(podman)

    def test_docker_in_a_scope(self):
        with DockerScopes(rootfs) as docker:
            self.check_runtime(docker)


if __name__ == "__main__":
    unittest.main()
