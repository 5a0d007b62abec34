# SPDX-License-Identifier: Apache-2.0
"""What the tests of cAdvisor's metrics share: containers that are cgroups of the test's own, and an agent for them."""

import time
import unittest

import dropin_truth
import dropin_truth_v2
from testbed import Agent, Cgroup, Reading, RemoteShell, hierarchies, outside, watching, workdir

PREFIX = "/plimsoll-dropin"
PURE_V2 = set(hierarchies()) == {""}
truth = dropin_truth_v2 if PURE_V2 else dropin_truth
CPUS = 0.2  # so little that even a busy machine has it to give, and throttles
MOVING = 256 << 10  # memory of a container at work goes up and down between two looks
FOREVER_UP = ("_total", "_failcnt", "_max_usage_bytes")


def ids_of(families, name):
    return {sample.labels["id"] for sample in families.samples(name)}


def largest_page():
    """What one fault can bring without being asked to: some kernels take huge pages whenever they can."""
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="utf-8") as file:
            return 2 << 20 if "[always]" in file.read() else 4096
    except FileNotFoundError:
        return 4096


def look(agent, cgroup, read=truth.everything):
    """A scrape between two looks at the files."""
    return Reading(agent, files=lambda: read(cgroup))


def differences(reading, container_id, slack=0):
    """Sentences about values that are missing or not between the file's before and after; gauges may be off by
    `slack`."""
    before, after = reading.before["files"], reading.after["files"]
    problems = []
    for key in before.keys() & after.keys():
        family, labels = key
        found = reading.families.samples(family, id=container_id, **dict(labels))
        low, high = sorted((before[key], after[key]))
        allowed = 0 if family.endswith(FOREVER_UP) or "spec" in family else slack
        if len(found) != 1 or outside(found[0].value, low, high, allowed):
            problems.append("%s%s: %s, kernel %s to %s" % (family, dict(labels), found, low, high))
    return problems


class Case(unittest.TestCase):
    def agent(self, config=None):
        agent = Agent(config or watching(PREFIX, linger="20s"))
        self.addCleanup(agent.stop)
        return agent

    def cgroup(self, name):
        cgroup = Cgroup(PREFIX + "/" + name).create()
        self.addCleanup(cgroup.remove)
        return cgroup


class RuntimeCase(unittest.TestCase):
    """A container with limits works, hits them, and is compared at rest and at work."""

    def check_runtime(self, runtime):
        config = {"containers": {"cgroups": [{"path": "/plimsoll-test/*"}]}}  # runc's own choice
        with Agent(config, runtimes=[runtime]) as agent:
            with RemoteShell(runtime, "dropin-" + runtime.NAME, workdir(), cpus=CPUS, memory=32 << 20) as shell:
                cgroup = shell.container.cgroup
                agent.wait_value("container_threads", lambda threads: threads and threads >= 1, id=shell.id)
                first = look(agent, cgroup)
                self.assertEqual(differences(first, shell.id), [])
                self.work(shell)
                last = look(agent, cgroup)
                self.assertEqual(differences(last, shell.id), [])
                self.check_growth(first, last, shell.id, cgroup)
                shell.start("burner 1 2")
                for _ in range(3):
                    time.sleep(0.2)
                    self.assertEqual(differences(look(agent, cgroup), shell.id, MOVING), [])
                self.assertEqual(shell.result(), 0)
                self.check_states(agent, shell)
            self.check_end(agent, shell.id, last)

    def work(self, shell):
        self.assertEqual(shell.do("burner 2 2"), 0)
        self.assertEqual(shell.do("/bin/dd if=/dev/zero of=/out/file bs=64k count=64 conv=fsync 2>/dev/null"), 0)
        self.assertEqual(shell.do("/bin/dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null"), 128 + 9)

    def check_growth(self, first, last, container_id, cgroup):
        """The work is on the page: throttled, faulted, written to the page cache, killed for want of memory. How much CPU
        it got is for the machine to decide, and for differences() to compare."""
        grown = {family: last.delta(first, family, id=container_id) for family in (
            "container_cpu_usage_seconds_total", "container_cpu_cfs_throttled_periods_total",
            "container_cpu_cfs_throttled_seconds_total", "container_memory_failcnt", "container_oom_events_total")}
        self.assertEqual(grown.pop("container_oom_events_total"), 1)
        self.assertEqual(cgroup.oom_kills(), 1)
        self.assertEqual({family for family, growth in grown.items() if growth <= 0}, set())
        faults = last.delta(first, "container_memory_failures_total", id=container_id, failure_type="pgfault",
                            scope="hierarchy")
        self.assertGreater(faults, (24 << 20) / largest_page())
        for family, value in (("container_spec_cpu_quota", CPUS * 100000), ("container_spec_cpu_period", 100000),
                              ("container_spec_memory_limit_bytes", 32 << 20)):
            self.assertEqual(last.families.value(family, id=container_id), value)

    def check_states(self, agent, shell):
        """At rest all its threads sleep, whatever the runtime has put beside the shell."""
        families = agent.wait_value("container_tasks_state", lambda running: running == 0, id=shell.id, state="running")
        states = families.by("state", "container_tasks_state", id=shell.id)
        self.assertEqual(set(states), {"sleeping", "running", "stopped", "uninterruptible", "iowaiting"})
        self.assertEqual(sum(states.values()), families.value("container_threads", id=shell.id))
        self.assertGreaterEqual(states["sleeping"], 1)

    def check_end(self, agent, container_id, last):
        """Counters stay for a while after the end and have not gone back; gauges are gone at once."""
        families = agent.metrics()
        self.assertEqual(families.samples("container_memory_usage_bytes", id=container_id), [])
        self.assertEqual(families.samples("container_spec_cpu_period", id=container_id), [])
        for family in ("container_cpu_usage_seconds_total", "container_memory_failcnt"):
            self.assertGreaterEqual(families.value(family, id=container_id),
                                    last.families.value(family, id=container_id), family)
