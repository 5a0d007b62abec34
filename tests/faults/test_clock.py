# SPDX-License-Identifier: Apache-2.0
"""The wall clock is set, forward and back. What counts does not notice; what says when something was does, as documented.
The machine's own clock is left alone: the agent's is set (shifted_clock.c)."""

import os
import struct
import time
import unittest

from startbed import HERE, Busy, Start, now, run, settle, workdir
from test_system_calls import fallen

YEAR = 365 * 86400
STEPS = (3600, -3600, YEAR, -20 * YEAR, 0)  # seconds off
TIMES = ("process_start_time_seconds", "plimsoll_config_last_reload_success_timestamp_seconds")


class SteppedClock(unittest.TestCase):
    def setUp(self):
        folder = workdir()
        run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", HERE + "/shifted_clock.c", "-o", folder + "/clock.so"])
        self.file = folder + "/shift"
        self.set(0)
        self.env = {**os.environ, "LD_PRELOAD": folder + "/clock.so", "SHIFTED_CLOCK": self.file}

    def set(self, seconds):
        with open(self.file, "r+b" if os.path.exists(self.file) else "wb") as file:
            file.write(struct.pack("<q", seconds))

    def test_counters_and_rates_do_not_move_with_it_and_timestamps_are_as_documented(self):
        with Busy() as busy, Start(env=self.env) as start:
            settle()
            earliest = now()
            before = start.agent.metrics()
            latest = now()
            began = before.value("container_start_time_seconds", id=busy.id)
            self.assertLess(abs(began - time.time()), 60)
            for shift in STEPS:
                with self.subTest(shift):
                    self.set(shift)
                    settle()
                    between = [now() - latest]
                    earliest_next = now()
                    page = start.agent.metrics()
                    latest_next = now()
                    between.append(latest_next - earliest)
                    self.assertEqual(fallen(before, page), [])
                    self.check_rates(busy, before, page, between)
                    self.check_times(busy, before, page, shift, began)
                    before, earliest, latest = page, earliest_next, latest_next
            self.assertEqual(start.stop(), 0)

    def check_rates(self, busy, before, page, between):
        """Three threads of the container live all the time: their lifetime grows by three seconds a second."""
        lived = [families.value("container_thread_lifetime_seconds_total", id=busy.id) for families in (before, page)]
        self.assertGreater(lived[1] - lived[0], 2.9 * between[0])
        self.assertLess(lived[1] - lived[0], 4.5 * between[1])  # and its children, one at a time
        for window in ("1s", "10s", "60s"):
            self.assertLess(page.value("container_cpu_usage_cores", id=busy.id, window=window), os.cpu_count())
        self.assertGreater(page.value("container_cpu_usage_cores", id=busy.id, window="1s"), 0)

    def check_times(self, busy, before, page, shift, began):
        """What was looked at once stays; when a container was seen is what the clock shows."""
        self.assertLess(abs(page.value("container_last_seen", id=busy.id) - (time.time() + shift)), 30)
        self.assertEqual(page.value("container_start_time_seconds", id=busy.id), began)
        for name in TIMES:
            self.assertEqual(page.value(name), before.value(name), name)

    def test_a_container_that_begins_after_the_step_has_the_time_that_the_clock_shows(self):
        with Start(env=self.env) as start:
            self.set(YEAR)
            with Busy("later") as busy:
                settle()
                began = start.agent.value("container_start_time_seconds", id=busy.id)
                self.assertLess(abs(began - time.time() - YEAR), 60)


if __name__ == "__main__":
    unittest.main()
