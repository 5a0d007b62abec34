# SPDX-License-Identifier: Apache-2.0
"""Twice as many containers cost twice as much: what a scrape takes, and its bytes, grow no faster than their number.

tests/bench/peers/cost_curve_bench.py has the whole curve; here are two points of it, and ratios only.
"""

import time
import unittest

from testbed import HEADERS, Agent, Crowd, cpu_clock, watching

PARENT = "/plimsoll-crowd"
FEW, MANY = 50, 400
SCRAPES = 20


class CostCurve(unittest.TestCase):
    def measure(self, count):
        """(CPU seconds of the cheapest scrape, bytes of a page), per container"""
        with Crowd(count, parent=PARENT), Agent({**watching(PARENT), "log": {"level": "info"}}) as agent:
            agent.wait_value("plimsoll_containers", lambda value: value == count, runtime="cgroup")
            agent.page()
            time.sleep(2.5)  # each of them rests by now
            agent.page()
            costs = []
            for _ in range(SCRAPES):
                before = cpu_clock(agent.pid)
                agent.get("/metrics", HEADERS)
                costs.append(cpu_clock(agent.pid) - before)
                time.sleep(0.05)
            return min(costs) / count, len(agent.page()) / count

    def test_a_container_costs_no_more_among_many(self):
        few, many = self.measure(FEW), self.measure(MANY)
        # Whatever grows with the square would be eight times as much; the tenths are the machine's.
        self.assertLess(many[0] / few[0], 1.5, "CPU time of a scrape per container: %s and %s" % (few, many))
        self.assertLess(many[1] / few[1], 1.02, "bytes of a page per container: %s and %s" % (few, many))


if __name__ == "__main__":
    unittest.main()
