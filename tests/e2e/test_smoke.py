# SPDX-License-Identifier: Apache-2.0
"""The shortest way through the whole system; also run with the sanitized program."""

import unittest

from testbed import Agent, RuncRuntime, Waiter, measure, thread_seconds, wait_until, workdir

CONFIG = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}]}}


class Smoke(unittest.TestCase):
    def test_a_container_that_starts_later_is_accounted_and_the_agent_ends_cleanly(self):
        with Agent(CONFIG) as agent, RuncRuntime() as runtime, Waiter(runtime, "smoke", workdir()) as waiter:
            wait_until(lambda: thread_seconds(agent.metrics(), waiter.container), 5, "the container's series")
            for kind in ("nanosleep", "futex_wait", "pipe_read", "epoll_wait"):
                with self.subTest(kind):
                    measurement = measure(agent, waiter, kind, 0.5)
                    self.assertEqual(measurement.problems(), [])
            families = agent.metrics()
            lifetime = families.value("container_thread_lifetime_seconds_total", id=waiter.container.cgroup_path)
            self.assertAlmostEqual(lifetime, sum(thread_seconds(families, waiter.container).values()), delta=0.001)
            self.assertEqual(agent.stop(), 0)


if __name__ == "__main__":
    unittest.main()
