# SPDX-License-Identifier: Apache-2.0
"""What the tests of cAdvisor's metrics share: containers that are cgroups of the test's own, and an agent for them."""

import unittest

from testbed import Agent, Cgroup, watching

PREFIX = "/plimsoll-dropin"


def ids_of(families, name):
    return {sample.labels["id"] for sample in families.samples(name)}


class Case(unittest.TestCase):
    def agent(self, config=None):
        agent = Agent(config or watching(PREFIX, linger="20s"))
        self.addCleanup(agent.stop)
        return agent

    def cgroup(self, name):
        cgroup = Cgroup(PREFIX + "/" + name).create()
        self.addCleanup(cgroup.remove)
        return cgroup
