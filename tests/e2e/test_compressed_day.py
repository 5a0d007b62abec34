# SPDX-License-Identifier: Apache-2.0
"""A day of container life in a minute or two: 5,000 starts and stops of 60 services while a real Prometheus scrapes."""

import os
import time
import unittest

from testbed import Agent, Born, Cgroup, Prometheus, entries, held_by, ids, kernel_failures, wait_until, watching

PREFIX = "/plimsoll-day"
SERVICES, LIVES, LINGER = 60, 5000, 2
COUNTERS = '{__name__=~"container_.*(_total|_bucket|_count|_sum)"}'
START = "container_start_time_seconds"


def resident_kib(pid):
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class CompressedDay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(Cgroup(PREFIX))
        cls.agent = Agent({**watching(PREFIX, linger="%ds" % LINGER), "log": {"level": "info"}})
        cls.addClassCleanup(cls.agent.stop)
        cls.live(0)  # what grows with the first container has grown
        wait_until(lambda: not ids(cls.agent.metrics()), 20, "the end of the linger")
        cls.before, cls.open_before = cls.usage(), cls.descriptors()
        cls.added = cls.agent.value("plimsoll_containers_added_total")
        cls.prometheus = Prometheus([cls.agent])
        cls.addClassCleanup(cls.prometheus.stop)
        cls.prometheus.wait_scrapes(1)
        begin = time.time()
        for number in range(LIVES):
            cls.live(number)
        cls.took = time.time() - begin
        time.sleep(LINGER + 3)
        cls.window = "[%ds]" % (time.time() - begin)
        print("    %d lives in %.0f s" % (LIVES, cls.took))

    @staticmethod
    def live(number):
        with Cgroup("%s/service-%d" % (PREFIX, number % SERVICES)) as cgroup:
            Born(cgroup, lambda: sum(range(10000))).wait()

    @classmethod
    def usage(cls):
        families = cls.agent.metrics()
        return {"series": families.value("plimsoll_scrape_series"), "resident": resident_kib(cls.agent.pid)}

    @classmethod
    def descriptors(cls):
        return len(os.listdir("/proc/%d/fd" % cls.agent.pid))

    def test_every_life_was_seen(self):
        families = self.agent.metrics()
        self.assertEqual(families.value("plimsoll_containers_added_total") - self.added, LIVES)
        self.assertEqual(families.value("plimsoll_events_lost_total"), 0)
        self.assertEqual(families.value("plimsoll_cgroup_resync_corrections_total"), 0)
        self.assertEqual(kernel_failures(families), {})

    def test_prometheus_has_no_gap_and_refused_nothing(self):
        times, failed = self.prometheus.scrapes(self.window)
        self.assertEqual(failed, [])
        # Prometheus itself leaves one out when it gets no CPU at its time.
        self.assertGreaterEqual(len(times), 0.9 * self.took - 1)
        self.assertLess(max(later - earlier for earlier, later in zip(times, times[1:])), 2.9)
        self.assertEqual(self.prometheus.refused(), {})

    def test_a_counter_goes_back_only_where_a_service_has_started_anew(self):
        """And so no rate is ever negative, and none is too high."""
        starts = {one["metric"]["id"]: {at: float(value) for at, value in one["values"]}
                  for one in self.prometheus.query(START + self.window)}
        self.assertEqual(len(starts), SERVICES)
        self.assertGreater(sum(len(set(values.values())) for values in starts.values()), SERVICES * 2)
        series = self.prometheus.query(COUNTERS + self.window)
        self.assertGreater(len(series), SERVICES * 50)
        wrong = []
        for one in series:
            values = [(at, float(value)) for at, value in one["values"]]
            started = starts.get(one["metric"].get("id"))
            for (earlier, old), (later, new) in zip(values, values[1:]):
                if started and new < old and started.get(later) == started.get(earlier):
                    wrong.append((one["metric"], old, new))
        self.assertEqual(wrong[:5], [])
        for name in {one["metric"]["__name__"] for one in series}:
            rates = self.prometheus.query_range("rate(%s[5s])" % name, time.time() - self.took, time.time(), "5s")
            self.assertTrue(rates, name)
            self.assertEqual([one for one in rates if min(float(value) for _, value in one["values"]) < 0], [])

    def test_afterwards_everything_is_as_before(self):
        wait_until(lambda: not ids(self.agent.metrics()), 20, "the end of the linger")
        after = self.usage()
        print("    %s -> %s" % (self.before, after))
        self.assertEqual(after["series"], self.before["series"])
        wait_until(lambda: self.descriptors() <= self.open_before, 10, "an end of Prometheus' connection", interval=0.02)
        self.assertLess(after["resident"], self.before["resident"] + 8192)
        self.assertEqual(entries(held_by(self.agent.pid))["cgroup_scopes"], 0)
