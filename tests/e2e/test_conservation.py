# SPDX-License-Identifier: Apache-2.0
"""Under stress, every thread is in exactly one state at any moment: the states add up to the lifetime, nothing goes
back, and what ran is what the kernel charged. stress-ng knows more ways to be born, to wait and to die than we do."""

import subprocess
import time
import unittest

from testbed import (Agent, Cgroup, CommandError, Mover, Reading, cpu_seconds, outside, residual, wait_until,
                     workdir)

CONFIG = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}]}}
RESIDUAL_SECONDS = 0.001
LIVES = 240  # seconds that the stressors would go on
STRESSORS = ("fork", "clone", "pthread", "exec", "switch", "pipe", "futex", "nanosleep", "sock", "io-uring")


def stress(cgroup, stressors):
    argv = ["stress-ng", "--timeout", str(LIVES), "--quiet", "--log-file", "/dev/null"]
    for stressor in stressors:
        argv += ["--" + stressor, "1"]
    return cgroup.spawn(argv, cwd=workdir(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def watched_counters(families, ids):
    """{(series, labels): value} of all that must never go back."""
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families.values() if family.type in ("counter", "histogram")
            for sample in family.samples if sample.labels.get("id") in ids or sample.name.startswith("plimsoll_")}


class Conservation(unittest.TestCase):
    def setUp(self):
        self.one, self.two = (self.enterContext(Cgroup("/plimsoll-test/stress-" + name)) for name in ("one", "two"))
        self.cgroups = (self.one, self.two)
        self.agent = self.enterContext(Agent(CONFIG))
        self.problems, self.worst, self.counters, self.scrapes, self.unanswered = [], 0, {}, 0, 0

    def read(self):
        reading = Reading(self.agent, **{cgroup.path: cpu_seconds(cgroup.path) for cgroup in self.cgroups},
                          both=lambda: sum(cpu_seconds(cgroup.path)() for cgroup in self.cgroups))
        self.inspect(reading.families)
        return reading

    def inspect(self, families):
        """What must hold at any moment; the findings are collected."""
        self.scrapes += 1
        for cgroup in self.cgroups:
            left = residual(families, cgroup.path)
            self.worst = max(self.worst, left)
            threads = families.value("container_threads", id=cgroup.path)
            states = families.sum("container_thread_states", id=cgroup.path)
            if threads != states:
                self.problems.append("scrape %d: %d threads, but %d in all states" % (self.scrapes, threads, states))
            if left > RESIDUAL_SECONDS:
                self.problems.append("scrape %d: residual of %s is %.6f s" % (self.scrapes, cgroup.path, left))
        own = families.value("plimsoll_ledger_residual_seconds")
        if own > RESIDUAL_SECONDS:
            self.problems.append("scrape %d: plimsoll_ledger_residual_seconds is %.6f" % (self.scrapes, own))
        counters = watched_counters(families, [cgroup.path for cgroup in self.cgroups])
        for series, value in self.counters.items():
            if counters.get(series, -1) < value:
                self.problems.append("scrape %d: %s went from %r to %r"
                                     % (self.scrapes, series, value, counters.get(series)))
        self.counters = counters

    def watch(self, seconds, enough=lambda: True):
        """Scrapes five times a second; the machine may be too busy for some of them, within reason. For as long, and
        then until it is enough, but not longer than LIVES."""
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds or (passed < LIVES - 10 and not enough()):
            time.sleep(0.2)
            try:
                self.inspect(self.agent.metrics())
            except (CommandError, TimeoutError):
                self.unanswered += 1
        self.assertLess(self.unanswered, 1 + 0.1 * self.scrapes)

    def at_rest(self, process):
        """Ends everything; a reading when nothing lives in the two any more."""
        process.terminate()
        for cgroup in self.cgroups:
            cgroup.kill()
        process.wait()

        def empty():
            families = self.agent.metrics()
            return not any(families.value("container_threads", id=cgroup.path) for cgroup in self.cgroups)
        wait_until(empty, 10, "end of all threads in the ledger", interval=0.1)
        return self.read()

    def check_charge(self, last, first, name, *paths):
        charged = sum(last.charged_delta(first, path) for path in paths)
        switches = sum(last.switches_delta(first, path) for path in paths)
        low, high = last.growth(first, name)
        print("    %s: running - stolen %.4f s, kernel %.4f to %.4f s (%+.3f %%), %d switches"
              % (name, charged, low, high, (charged / ((low + high) / 2) - 1) * 100, switches))
        self.assertGreater(low, 1)
        self.assertEqual(outside(charged, low, high, 0.005 * high), 0)

    def check_empty(self, families):
        for cgroup in self.cgroups:
            states = families.by("state", "container_thread_states", id=cgroup.path)
            self.assertEqual({state: count for state, count in states.items() if count}, {}, cgroup.path)
        processes = [families.value("container_processes", id=cgroup.path) for cgroup in self.cgroups]
        self.assertEqual(processes, [0, 0])
        exits, forks = (sum(families.sum(name, id=cgroup.path) for cgroup in self.cgroups)
                        for name in ("container_process_exits_total", "container_process_forks_total"))
        print("    %d forks, %d exits, worst residual %.9f s in %d scrapes" % (forks, exits, self.worst, self.scrapes))
        self.assertGreater(forks, 10)  # that there was work; how much is for the machine to decide
        self.assertEqual(exits, forks + self.joined)
        losses = {tuple(sample.labels.values()): sample.value for name in
                  ("plimsoll_kernel_failures_total", "plimsoll_program_misses_total", "plimsoll_events_lost_total")
                  for sample in families.samples(name) if sample.value}
        print("    losses: %s" % losses)
        self.assertEqual(self.problems, [])

    def test_half_a_minute_of_stress_with_processes_moved_between_two_containers(self):
        first = self.read()
        self.joined = 1
        process = stress(self.one, STRESSORS)
        with Mover(self.one, self.two) as mover:
            # Each move may wait for the other threads of the machine: on a busy one there are few in half a minute.
            self.watch(30, lambda: mover.moves > 100 and mover.moves_with_threads > 10)
        print("    %d moves, %d of them with more than one thread" % (mover.moves, mover.moves_with_threads))
        self.assertGreater(mover.moves, 100)
        self.assertGreater(mover.moves_with_threads, 10)
        last = self.at_rest(process)
        self.check_empty(last.families)
        for cgroup in self.cgroups:
            self.assertGreater(last.families.sum("container_thread_seconds_total", id=cgroup.path), 30)
        self.check_charge(last, first, "both", self.one.path, self.two.path)

    def test_stress_in_two_containers_is_charged_to_each_as_the_kernel_charges_it(self):
        first = self.read()
        self.joined = 2
        processes = [stress(self.one, STRESSORS[::2]), stress(self.two, STRESSORS[1::2])]
        self.watch(8, lambda: all(cpu_seconds(cgroup.path)() > 2 for cgroup in self.cgroups))
        processes[1].terminate()
        last = self.at_rest(processes[0])
        processes[1].wait()
        self.check_empty(last.families)
        for cgroup in self.cgroups:
            with self.subTest(cgroup.path):
                self.check_charge(last, first, cgroup.path, cgroup.path)


if __name__ == "__main__":
    unittest.main()
