# SPDX-License-Identifier: Apache-2.0
"""Smoothed gauges against the kernel's own account of the same cgroup, smoothed by the book.

On a busy machine a burner gets less than its CPU; so nothing is compared with what it should have got, but with
what the kernel says it got, and, where a workload always wants a CPU, with the sum of usage and wait.
"""

import math
import sys
import time
import unittest

from testbed import (Agent, Cgroup, CommandError, CpuHistory, burner_argv, command, wait_until, watching)
from plimsoll_testbed.workloads import binary

ROOT = "/plimsoll-test"
WINDOWS = {"1s": 1, "10s": 10, "60s": 60}
CONFIG = watching(ROOT)
TICK_AGE = 0.3  # seconds: the values are those of the last tick, which is due every 0.1 s and can come late
STALE = 0.01    # seconds: the kernel adds a running thread's time at its own tick (4 ms), read at both ends
USAGE, WAIT = "container_cpu_usage_cores", "container_cpu_wait_cores"

# Waits for orders: "wave PERIOD BUSY COUNT" runs until BUSY seconds of every PERIOD are over, by the clock.
PULSE = """if True:
    import sys, time
    print("ready", flush=True)
    for line in sys.stdin:
        _, period, busy, count = line.split()
        begin = time.monotonic()
        for i in range(int(count)):
            time.sleep(max(0, begin + i * float(period) - time.monotonic()))
            while time.monotonic() < begin + i * float(period) + float(busy):
                pass
        time.sleep(max(0, begin + int(count) * float(period) - time.monotonic()))
        print("done", flush=True)
    """


def burn(cgroup, seconds, threads=1, cpu=None):
    """Returns when it burns."""
    argv = burner_argv(seconds, threads, cpu)
    process = cgroup.spawn([binary(argv[0]), *argv[1:]], stdout=-1)

    def begun():
        with open("/proc/%d/comm" % process.pid, encoding="utf-8") as file:
            return file.read().strip() == argv[0]
    wait_until(begun, 20, "the burner", interval=0.001)
    return process


class Pulse:
    def __init__(self, cgroup):
        self.process = cgroup.spawn([sys.executable, "-c", PULSE], stdin=-1, stdout=-1, text=True, bufsize=1)
        self.process.stdout.readline()

    def wave(self, period, busy, count):
        """(begin, end) by time.monotonic(), around it."""
        begin = time.monotonic()
        self.process.stdin.write("wave %g %g %d\n" % (period, busy, count))
        assert self.process.stdout.readline() == "done\n"
        return begin, time.monotonic()


class Scrape:
    """The gauges of a container and the moments around the scrape."""

    def __init__(self, agent, container_id):
        self.begin = time.monotonic()
        self.families = agent.metrics()
        self.end = time.monotonic()
        self.id = container_id

    def values(self, family):
        return self.families.by("window", family, id=self.id)

    def unseen(self, agent):
        """What of the wait may have been use: where something runs that the kernel shows no program (a sandbox's init), a
        switch to a thread can be unseen, until the thread leaves its CPU: after it has ended, the agent can tell."""
        last = agent.metrics().sum("plimsoll_kernel_failures_total", place="switch_in_unseen")
        return self.values(WAIT) if last else dict.fromkeys(WINDOWS, 0)

    def stolen(self):
        return self.families.value("container_cpu_stolen_seconds_total", id=self.id)


class Smoothing(unittest.TestCase):
    def container(self, name):
        return self.enterContext(Cgroup("%s/%s" % (ROOT, name))).favour()

    def follow(self, cgroup):
        return self.enterContext(CpuHistory(cgroup))

    def check_demand(self, scrape, cores, born, began):
        """Whatever else the machine does: between them, these threads have always wanted so many CPUs since they began."""
        for label, window in WINDOWS.items():
            share = ((1 - math.exp((began - scrape.begin + TICK_AGE) / window))
                     / (1 - math.exp((born - scrape.begin + TICK_AGE) / window)))
            wanted = scrape.values(USAGE)[label] + scrape.values(WAIT)[label]
            print("    %3s: usage + wait %.4f, at least %.4f" % (label, wanted, cores * share))
            self.assertGreaterEqual(wanted, (share - 0.02) * cores)
            self.assertLessEqual(wanted, 1.05 * cores)

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def check_averages(self, agent, scrape, history, threads=1):
        """The kernel does not charge what interrupts and the hypervisor take from a running thread: the agent does."""
        usage, age = scrape.values(USAGE), scrape.begin - history.samples[0][0]
        unseen = scrape.unseen(agent)
        stale = STALE + history.staleness(threads)
        self.assertEqual(set(usage), set(WINDOWS))
        for label, window in WINDOWS.items():
            low, high = history.average(window, scrape.begin - TICK_AGE, scrape.end, late=TICK_AGE)
            print("    %3s: usage %.4f, kernel %.4f to %.4f, wait %.4f"
                  % (label, usage[label], low, high, scrape.values(WAIT)[label]))
            most = 1 / (window * (1 - math.exp(-age / window)))  # what a second can weigh: the last one does
            self.assertGreaterEqual(usage[label], low - stale * most - unseen[label])
            self.assertLessEqual(usage[label], high + (stale + scrape.stolen()) * most)

    def test_a_thread_that_never_yields_shows_one_core_within_two_seconds(self):
        with Agent(CONFIG) as agent:
            born = time.monotonic()
            cgroup = self.container("burner")
            history, burner = self.follow(cgroup), burn(cgroup, 0)
            began = time.monotonic()
            time.sleep(2)
            scrape = Scrape(agent, cgroup.path)
            self.end(burner)
            self.check_averages(agent, scrape, history)
        self.check_demand(scrape, 1, born, began)
        for window in WINDOWS:
            self.assertLessEqual(scrape.values(USAGE + "_peak")[window], 1.1)

    def test_one_that_ran_before_the_agent_came_has_no_spike(self):
        cgroup = self.container("older")
        burner = burn(cgroup, 0)
        time.sleep(1)
        with Agent(CONFIG) as agent:
            wait_until(lambda: Scrape(agent, cgroup.path).values(USAGE), 5, "the gauges", interval=0.02)
            for _ in range(10):
                scrape = Scrape(agent, cgroup.path)
                self.assertAlmostEqual(scrape.values(USAGE)["60s"] + scrape.values(WAIT)["60s"], 1, delta=0.02)
                self.assertLessEqual(scrape.values(USAGE + "_peak")["60s"], 1.02)
                time.sleep(0.1)
            self.end(burner)

    def test_a_square_wave_averages_to_its_duty(self):
        period, busy, count = 0.4, 0.12, 25
        with Agent(CONFIG) as agent:
            cgroup = self.container("wave")
            history, pulse = self.follow(cgroup), Pulse(cgroup)
            began, _ = pulse.wave(period, busy, count)
            scrape = Scrape(agent, cgroup.path)
            self.end(pulse.process)
            self.check_averages(agent, scrape, history)
        # It wants a CPU for its duty whatever it gets; before the wave there was the interpreter's start. Half a
        # period more or less lies in the window, and each wake-up is a little late.
        started = (began - history.samples[0][0]) / (scrape.end - history.samples[0][0])
        for window in ("10s", "60s"):
            wanted = scrape.values(USAGE)[window] + scrape.values(WAIT)[window]
            print("    %s: usage + wait %.4f, duty %.4f" % (window, wanted, busy / period))
            self.assertAlmostEqual(wanted, busy / period, delta=0.02 + started)

    def test_a_short_burst_shows_in_the_peaks_and_hardly_in_the_long_average(self):
        with Agent(CONFIG) as agent:
            cgroup = self.container("burst")
            history, pulse = self.follow(cgroup), Pulse(cgroup)
            time.sleep(6)
            begin, end = pulse.wave(0.5, 0.3, 1)
            burst = Scrape(agent, cgroup.path)
            time.sleep(1.5)
            later = Scrape(agent, cgroup.path)
            self.end(pulse.process)
            self.check_averages(agent, burst, history)
        got = history.used(begin - 0.02, end) / 0.3
        peaks, old_peaks = burst.values(USAGE + "_peak"), later.values(USAGE + "_peak")
        print("    the kernel gave %.0f %% of the burst, peaks %s, 1.5 s later %s" % (100 * got, peaks, old_peaks))
        # At least two whole ticks lie in the burst. Of those, one misses at most half of what is missing.
        for window in WINDOWS:
            self.assertGreaterEqual(peaks[window], 0.8 if got > 0.9 else 0.7 * got)
            self.assertLessEqual(peaks[window], 1.1)
        self.assertLess(burst.values(USAGE)["60s"], 0.1)
        self.assertLess(old_peaks["1s"], 0.2)
        self.assertEqual(old_peaks["60s"], peaks["60s"])

    def test_two_burners_on_one_cpu_use_it_and_wait_for_it(self):
        with Agent(CONFIG) as agent:
            born = time.monotonic()
            cgroup = self.container("pair")
            history, burners = self.follow(cgroup), burn(cgroup, 0, threads=2, cpu=0)
            began = time.monotonic()
            time.sleep(4)
            scrape = Scrape(agent, cgroup.path)
            self.end(burners)
            self.check_averages(agent, scrape, history, threads=2)
        self.check_demand(scrape, 2, born, began)
        peaks = scrape.values(WAIT + "_peak")
        for window in WINDOWS:
            usage, wait = scrape.values(USAGE)[window], scrape.values(WAIT)[window]
            self.assertLessEqual(usage, 1.02)
            self.assertGreaterEqual(wait, 0.95)
            # An average still has a little of what was before its window; all there was lies within the longest one.
            self.assertGreaterEqual(peaks["60s"], wait)
            self.assertGreaterEqual(peaks["60s"], peaks[window])
            self.assertGreaterEqual(peaks[window], 0.95)

    def test_what_is_born_and_dies_inside_a_container_makes_no_spike(self):
        """Each nested cgroup has a slot of its own until the agent knows that it is a part; then the slot drains."""
        with Agent(CONFIG) as agent:
            cgroup = self.container("parent")
            history = self.follow(cgroup)
            for number in range(7):
                with Cgroup("%s/part%d" % (cgroup.path, number)) as part:
                    burn(part, 0.3).communicate()
            scrape = Scrape(agent, cgroup.path)
            self.check_averages(agent, scrape, history)
        for family in (USAGE, WAIT):
            self.assertLessEqual(max(scrape.values(family + "_peak").values()), 1.1, family)

    def test_gauges_end_with_the_container_and_counters_linger(self):
        with Agent(CONFIG) as agent:
            with Cgroup(ROOT + "/brief") as cgroup:
                burn(cgroup, 0.3).communicate()
                self.assertGreater(Scrape(agent, cgroup.path).values(USAGE)["60s"], 0)
            agent.wait_value(USAGE, lambda value: value is None, timeout=3, id=cgroup.path, window="60s")
            families = agent.metrics()
            for family in (USAGE, USAGE + "_peak", WAIT, WAIT + "_peak"):
                self.assertEqual(families.samples(family, id=cgroup.path), [])
            self.assertGreater(families.value("container_thread_seconds_total", id=cgroup.path, state="running"), 0)

    def test_an_idle_container_has_zeros_and_windows_are_spelled_in_seconds_or_milliseconds(self):
        windows = {"smoothing": {"tick": "20ms", "windows": ["1500ms", "1m", "2s"]}}
        with Agent({**CONFIG, **windows}) as agent, Cgroup(ROOT + "/idle") as cgroup:
            agent.wait_value(USAGE, lambda value: value is not None, id=cgroup.path, window="2s")
            time.sleep(0.2)
            scrape = Scrape(agent, cgroup.path)
            for family in (USAGE, USAGE + "_peak", WAIT, WAIT + "_peak"):
                self.assertEqual(scrape.values(family), {"1500ms": 0, "60s": 0, "2s": 0})


class WithoutLedger(unittest.TestCase):
    CONFIG = {**CONFIG, "probes": {"ledger": {"enabled": False}}}

    def test_the_agent_says_that_the_smoothing_needs_the_ledger(self):
        with Agent(self.CONFIG) as agent:
            families = agent.metrics()
            self.assertEqual(families.value("plimsoll_probe_up", probe="smoothing"), 0)
            self.assertNotIn(USAGE, families)
            self.assertIn("probe smoothing: the smoothing needs the ledger probe", agent.log())
            check = command("check", "--config", agent.config_path)
            self.assertRegex(check.stdout, r"probe smoothing +the smoothing needs the ledger probe")

    def test_where_it_is_required_the_agent_does_not_start(self):
        probes = {"ledger": {"enabled": False}, "smoothing": {"required": True}}
        with self.assertRaisesRegex(CommandError, "probe smoothing: the smoothing needs the ledger probe"):
            Agent({**CONFIG, "probes": probes})


if __name__ == "__main__":
    unittest.main()
