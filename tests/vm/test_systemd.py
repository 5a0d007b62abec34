# SPDX-License-Identifier: Apache-2.0
"""A host as most are: systemd as PID 1, pure cgroup v2. The agent finds a service by itself."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, command, hierarchies, run  # noqa: E402


def service(name, argv, **properties):
    """Starts a transient service; its cgroup."""
    settings = ["--property=%s=%s" % pair for pair in properties.items()]
    run(["systemd-run", "--quiet", "--unit=" + name, *settings, *argv])
    return run(["systemctl", "show", "-P", "ControlGroup", name]).stdout.strip()


class Systemd(unittest.TestCase):
    def test_the_machine_is_what_it_should_be(self):
        self.assertEqual(hierarchies(), {"": "/sys/fs/cgroup"})
        with open("/sys/fs/cgroup/cgroup.subtree_control", encoding="utf-8") as file:
            self.assertLessEqual({"cpu", "cpuset", "io", "memory", "pids"}, set(file.read().split()))
        with open("/proc/1/comm", encoding="utf-8") as file:
            self.assertEqual(file.read(), "systemd\n")

    def test_everything_that_this_kernel_has_can_be_had(self):
        done = command("check")
        print(done.stdout, done.stderr)
        self.assertEqual(done.returncode, 0)

    def test_a_service_is_found_and_counted_from_its_first_process(self):
        with Agent({"containers": {"discover": ["systemd"]}}) as agent:
            cgroup = service("counted", ["sh", "-c", "for i in 1 2 3 4 5 6 7; do /bin/true; done; exec sleep 1000"])
            self.addCleanup(subprocess.run, ["systemctl", "stop", "counted"], check=False)
            self.assertEqual(cgroup, "/system.slice/counted.service")
            families = agent.wait_value("container_process_forks_total", lambda forks: forks and forks >= 7, id=cgroup)
            self.assertEqual(families.value("container_process_exits_total", id=cgroup, outcome="success"), 7)
            self.assertEqual(families.value("container_info", id=cgroup, runtime="systemd"), 1)
            states = families.sum("container_thread_seconds_total", id=cgroup)
            lifetime = families.value("container_thread_lifetime_seconds_total", id=cgroup)
            self.assertAlmostEqual(states, lifetime, delta=0.001)


if __name__ == "__main__":
    unittest.main()
