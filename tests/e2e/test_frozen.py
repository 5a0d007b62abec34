# SPDX-License-Identifier: Apache-2.0
"""Frozen containers: what `docker pause` does, by either freezer."""

import os
import subprocess
import time
import unittest

from testbed import Agent, Cgroup, hierarchies, thread_seconds, wait_until

PATH = "/plimsoll-frozen"
CONFIG = {"containers": {"discover": [], "cgroups": [{"path": PATH}]}}


class Sleeper:
    """What thread_seconds() wants of a container: a sleeping process in a cgroup."""

    def __init__(self, cgroup):
        self.cgroup_path = cgroup.path
        self.process = cgroup.spawn(["sleep", "1000"], stdout=subprocess.DEVNULL)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Frozen(unittest.TestCase):
    def check(self, freeze, is_frozen, thaw):
        with Cgroup(PATH) as cgroup, Agent(CONFIG) as agent:
            sleeper = Sleeper(cgroup)
            self.addCleanup(sleeper.process.wait)
            agent.wait_value("container_thread_states", lambda count: count == 1, id=PATH, state="sleep")
            freeze(cgroup)
            wait_until(lambda: is_frozen(cgroup), 5, "the freezer")
            try:
                agent.wait_value("container_thread_states", lambda count: count == 1, id=PATH, state="stopped",
                                 timeout=2)
                times = [time.monotonic()]
                before = thread_seconds(agent.metrics(), sleeper)
                times.append(time.monotonic())
                time.sleep(0.5)
                times.append(time.monotonic())
                after = thread_seconds(agent.metrics(), sleeper)
                times.append(time.monotonic())
            finally:
                thaw(cgroup)
            frozen = after["stopped"] - before["stopped"]
            self.assertTrue(times[2] - times[1] - 0.002 <= frozen <= times[3] - times[0] + 0.002, (frozen, times))
            self.assertEqual({state for state in after if after[state] != before[state]}, {"stopped"})
            agent.wait_value("container_thread_states", lambda count: count == 1, id=PATH, state="sleep", timeout=2)

    def test_by_the_v2_freezer(self):
        if not os.path.exists(hierarchies().get("", "/nowhere") + "/cgroup.procs"):
            self.skipTest("no v2 hierarchy")
        self.check(lambda cgroup: write(cgroup.directories[""] + "/cgroup.freeze", "1"),
                   lambda cgroup: "frozen 1" in read(cgroup.directories[""] + "/cgroup.events"),
                   lambda cgroup: write(cgroup.directories[""] + "/cgroup.freeze", "0"))

    def test_by_the_v1_freezer_where_the_thread_sleeps(self):
        if "freezer" not in hierarchies():
            self.skipTest("no v1 freezer")
        self.check(lambda cgroup: write(cgroup.directories["freezer"] + "/freezer.state", "FROZEN"),
                   lambda cgroup: "FROZEN" in read(cgroup.directories["freezer"] + "/freezer.state"),
                   lambda cgroup: write(cgroup.directories["freezer"] + "/freezer.state", "THAWED"))


if __name__ == "__main__":
    unittest.main()
