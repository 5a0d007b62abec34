# SPDX-License-Identifier: Apache-2.0
"""Many containers while the agent gets no CPU: each is seen all the same."""

import os
import signal
import time
import unittest

from testbed import Agent, Born, Cgroup, ids, now, wait_until, watching

PREFIX = "/plimsoll-turnover"
LINGER = 2
LIFETIME = "container_thread_lifetime_seconds_total"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def config(**containers):
    return watching(PREFIX, linger="%ds" % LINGER, **containers)


class Stall(unittest.TestCase):
    def test_what_happens_while_the_agent_gets_no_cpu_is_accounted_all_the_same(self):
        births, kept = 1000, 10  # far more than newborn cgroups can have slots for before the agent looks
        top = Cgroup(PREFIX).identity()
        groups = [Cgroup("%s/kept-%d" % (PREFIX, number)) for number in range(kept)]
        with Agent(config(max=100)) as agent, Cgroup(PREFIX + "/ends") as ending:
            old = Born(ending, lambda: time.sleep(1000))
            agent.metrics()
            os.kill(agent.pid, signal.SIGSTOP)
            old.kill()
            for number in range(births):
                os.mkdir("%s/brief-%d" % (top, number))
                os.rmdir("%s/brief-%d" % (top, number))
            for group in groups:
                self.addCleanup(group.remove)
                group.create()
            born = [Born(group, lambda: time.sleep(1000)) for group in groups]
            os.kill(agent.pid, signal.SIGCONT)
            before = now()
            families = agent.metrics()
            after = now()
            self.assertEqual(families.value("plimsoll_events_lost_total"), 0)
            self.assertEqual(families.value("plimsoll_containers_added_total"), births + kept + 1)
            self.assertEqual(families.sum("container_processes"), kept)
            grown = families.sum(LIFETIME) - families.value(LIFETIME, id=ending.path)
            self.assertGreaterEqual(grown, sum(before - process.after for process in born))
            self.assertLessEqual(grown, sum(after - process.before for process in born))
            self.assertLess(families.value("plimsoll_ledger_residual_seconds"), 0.001)
            wait_until(lambda: not [path for path in ids(agent.metrics()) if "brief" in path], LINGER + 3)
            for process, group in zip(born, groups):
                process.kill()
                group.remove()
            with Cgroup(PREFIX + "/afterwards") as cgroup:
                life = Born(cgroup, lambda: 0).wait()
                lifetime = agent.value(LIFETIME, id=cgroup.path)
                self.assertTrue(life.inside <= lifetime <= life.outside, (life.inside, lifetime, life.outside))


if __name__ == "__main__":
    unittest.main()
