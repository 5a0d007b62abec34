# SPDX-License-Identifier: Apache-2.0
"""Running, runnable, switches and migrations, against the kernel's own figures of the same moments."""

import os
import re
import sys
import time
import unittest

from testbed import (SLOWNESS, Agent, Cgroup, Reading, RemoteShell, RuncRuntime, cpu_seconds, outside, wait_until,
                     workdir)

CONFIG = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}]}}
LAST_CPU = str(os.cpu_count() - 1)
SECONDS = 6
LATENCY = "container_run_queue_latency_seconds"


def task_sums(cgroup, pattern, name):
    """A truth: a number from that file of every thread in the cgroup, summed."""
    def read():
        total = 0
        for pid in cgroup.procs():
            for tid in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/%s" % (pid, tid, name), encoding="utf-8") as file:
                    total += int(re.search(pattern, file.read(), re.MULTILINE).group(1))
        return total
    return read


def switch_truths(cgroup):
    return {"voluntary": task_sums(cgroup, r"^voluntary_ctxt_switches:\s*(\d+)", "status"),
            "involuntary": task_sums(cgroup, r"^nonvoluntary_ctxt_switches:\s*(\d+)", "status")}


class Burners(unittest.TestCase):
    """Two containers, one CPU: each runs half of the time and waits for the CPU in the other half."""

    def test_two_burners_on_one_cpu_share_it_and_every_moment_is_accounted(self):
        with RuncRuntime() as runtime, Agent(CONFIG) as agent:
            shells = [self.enterContext(RemoteShell(runtime, name, workdir(), cpuset=LAST_CPU))
                      for name in ("one", "two")]
            for shell in shells:
                agent.wait_value("container_threads", lambda threads: threads == 1, id=shell.id)

            def look():
                return {shell: Reading(agent, cpu=cpu_seconds(shell.id), **switch_truths(shell.container.cgroup))
                        for shell in shells}
            idle = look()
            for shell in shells:
                shell.start("burner %d 1" % (SECONDS + 3 + SLOWNESS))
            for shell in shells:
                agent.wait_value("container_threads", lambda threads: threads == 2, id=shell.id)
                agent.wait_value("container_thread_states", lambda waiting: waiting == 1, id=shell.id, state="child")
            first = look()
            time.sleep(SECONDS - 0.5)
            last = look()
            for shell in shells:
                self.assertEqual(shell.result(), 0)
                agent.wait_value("container_threads", lambda threads: threads == 1, id=shell.id)
            rest = look()

            for shell in shells:
                with self.subTest(shell.container.name):
                    self.check_burning(first[shell], last[shell], shell.id)
                    self.check_charge(idle[shell], rest[shell], shell.id)
                    self.check_latency(idle[shell], rest[shell], shell.id)
            # The kernel shares what it charges; what is stolen may be stolen from one of them.
            charged = [last[shell].charged_delta(first[shell], shell.id) for shell in shells]
            shares = [each / sum(charged) for each in charged]
            print("    running for %.3f and %.3f of their time" % tuple(shares))
            self.assertLessEqual(abs(shares[0] - shares[1]), 0.05 * max(shares) * (1 if SLOWNESS == 1 else 2))

    def check_burning(self, first, last, container_id):
        low, high = last.wall(first)
        states = last.state_deltas(first, container_id)
        busy = states["running"] + states["runnable"]
        print("    running %.4f + runnable %.4f s, wall %.4f to %.4f s"
              % (states["running"], states["runnable"], low, high))
        self.assertEqual(outside(busy, low, high, 0.002), 0)
        self.assertEqual(outside(states["child"], low, high, 0.002), 0)  # the shell waits for its burner
        self.assertLess(states["running"], 0.6 * busy)
        strange = {state: seconds for state, seconds in states.items()
                   if state not in ("running", "runnable", "child") and seconds > 0.002}
        self.assertEqual(strange, {})

        for kind in ("voluntary", "involuntary"):
            counted = last.delta(first, "container_context_switches_total", id=container_id, kind=kind)
            low, high = last.growth(first, kind)
            self.assertTrue(low <= counted <= high, "%s switches: %d, kernel %d to %d" % (kind, counted, low, high))
        self.assertGreater(low, 100)  # involuntary: they really took turns

    def check_charge(self, idle, rest, container_id):
        """From rest to rest: while one runs, neither the kernel nor the agent knows yet what has been stolen from it."""
        low, high = rest.growth(idle, "cpu")
        charged, switches = rest.charged_delta(idle, container_id), rest.switches_delta(idle, container_id)
        print("    running - stolen %.4f s, kernel %.4f to %.4f s (%+.3f %%), %d switches"
              % (charged, low, high, (charged / ((low + high) / 2) - 1) * 100, switches))
        self.assertEqual(outside(charged, low, high, 0.005 * high), 0)

    def check_latency(self, idle, rest, container_id):
        """From rest to rest, so that no interval is open: every stay on the run queue is in the histogram once."""
        waited = rest.delta(idle, LATENCY + "_sum", id=container_id)
        count = rest.delta(idle, LATENCY + "_count", id=container_id)
        runnable = rest.state_deltas(idle, container_id)["runnable"]
        switches = rest.switches_delta(idle, container_id)
        print("    %d waits of %.6f s in total, runnable %.6f s, %d switches" % (count, waited, runnable, switches))
        self.assertLessEqual(abs(waited - runnable), max(0.01 * runnable, 0.002))
        self.assertLessEqual(abs(count - switches), 3 + 0.01 * switches)  # who leaves a CPU came to it, after a wait


class Switches(unittest.TestCase):
    """Processes in a plain cgroup that do a prime number of things to their CPUs."""

    # Does N steps per line "STEP N" on stdin, and says so; otherwise it sleeps in a read.
    SCRIPT = """if True:
        import os, sys, time
        os.sched_setaffinity(0, {0})
        steps = {"hop": lambda i: os.sched_setaffinity(0, {1 - i % 2}), "nap": lambda i: time.sleep(float(sys.argv[1]))}
        print("ready", flush=True)
        for line in sys.stdin:
            step, count = line.split()
            for i in range(int(count)):
                steps[step](i)
            os.sched_setaffinity(0, {0})
            print("done", flush=True)
        """

    def test_voluntary_switches_and_migrations_are_counted_one_by_one(self):
        with Cgroup("/plimsoll-test/switches") as cgroup, Agent(CONFIG) as agent:
            process = cgroup.spawn([sys.executable, "-c", self.SCRIPT, 0.0005 * SLOWNESS], stdin=-1, stdout=-1,
                                   text=True, bufsize=1)
            self.addCleanup(process.communicate)
            process.stdout.readline()
            migrations = task_sums(cgroup, r"^se.nr_migrations\s*:\s*(\d+)", "sched")

            def look():
                wait_until(lambda: self.asleep(process.pid), 5, "sleep of the process")
                return Reading(agent, migrations=migrations, **switch_truths(cgroup))

            steps = [("hop", 211, 212), ("nap", 307, 0)]  # after 211 hops it goes home to CPU 0
            for step, count, hops in steps if os.cpu_count() > 1 else steps[1:]:  # with one there is nowhere to hop
                with self.subTest(step):
                    first = look()
                    process.stdin.write("%s %d\n" % (step, count))
                    self.assertEqual(process.stdout.readline(), "done\n")
                    last = look()
                    self.assertEqual(last.growth(first, "migrations"), (hops, hops))
                    self.assertEqual(last.delta(first, "container_cpu_migrations_total", id=cgroup.path), hops)
                    for kind in ("voluntary", "involuntary"):
                        counted = last.delta(first, "container_context_switches_total", id=cgroup.path, kind=kind)
                        low, high = last.growth(first, kind)
                        self.assertEqual((low, high), (counted, counted), kind)
                        if step == "nap" and kind == "voluntary":
                            self.assertGreaterEqual(counted, count)
                            wakeups = last.delta(first, "container_wakeups_total", id=cgroup.path)
                            self.assertLessEqual(abs(wakeups - counted), 3)

    @staticmethod
    def asleep(pid):
        with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "S"


if __name__ == "__main__":
    unittest.main()
