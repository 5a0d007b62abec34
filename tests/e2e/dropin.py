# SPDX-License-Identifier: Apache-2.0
"""What the tests of cAdvisor's metrics share: containers that are cgroups of the test's own, and an agent for them."""

import unittest

import dropin_truth
import dropin_truth_v2
from testbed import Agent, Cgroup, Reading, hierarchies, outside, watching

PREFIX = "/plimsoll-dropin"
PURE_V2 = set(hierarchies()) == {""}
truth = dropin_truth_v2 if PURE_V2 else dropin_truth
FOREVER_UP = ("_total", "_failcnt", "_max_usage_bytes")


def ids_of(families, name):
    return {sample.labels["id"] for sample in families.samples(name)}


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
