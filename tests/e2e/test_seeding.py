# SPDX-License-Identifier: Apache-2.0
"""What was there before the agent, or came into a container asleep, is right on the first scrape."""

import collections
import os
import sys
import time
import unittest

from testbed import Agent, Cgroup, Reading, RemoteShell, RuncRuntime, outside, wait_until, workdir

CONFIG = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}]}}
ON_CPU = ("running", "runnable")  # which of the two is the machine's affair

# What the threads of `waiter KIND` are in; many need a second thread that sleeps and then wakes the first.
WAITERS = {
    "nanosleep": ("sleep",), "clock_nanosleep": ("sleep",), "futex_wait": ("futex",), "condvar": ("futex", "sleep"),
    "pipe_read": ("pipe", "sleep"), "unix_recv": ("unix",), "tcp_recv": ("socket",),
    "tcp_accept": ("socket", "sleep"), "epoll_wait": ("poll",), "select": ("poll",), "wait4": ("child", "sleep"),
    "waitid": ("child", "sleep"), "vfork": ("child", "sleep"), "pause": ("other", "sleep"),
    "io_uring_timeout": ("io_uring",), "io_uring_worker": ("io_uring", "io_uring", "futex", "sleep"),
    "stopped": ("stopped", "sleep"), "traced": ("stopped", "sleep"),
}


def tasks_of(cgroup):
    """{thread id: what it did so far} of all threads in the cgroup, as the kernel has it."""
    found = {}
    for pid in cgroup.procs():
        for tid in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/status" % (pid, tid), encoding="utf-8") as status:
                fields = dict(line.split(":", 1) for line in status)
            found[int(tid)] = (fields["State"].split()[0], int(fields["voluntary_ctxt_switches"]))
    return found


def merged(states):
    """Running and runnable as one."""
    result = {state: value for state, value in states.items() if state not in ON_CPU and value}
    on_cpu = sum(states.get(state, 0) for state in ON_CPU)
    return {**result, **({"on CPU": on_cpu} if on_cpu else {})}


class Case(unittest.TestCase):
    def thread_states(self, families, container_id):
        return merged(families.by("state", "container_thread_states", id=container_id))

    def check(self, families, cgroup, expected):
        """Threads, processes and states of one scrape, against the kernel's and our own idea."""
        self.assertEqual(self.thread_states(families, cgroup.path), expected)
        self.assertEqual(families.value("container_threads", id=cgroup.path), len(tasks_of(cgroup)))
        self.assertEqual(families.value("container_processes", id=cgroup.path), len(cgroup.procs()))

    def check_growth(self, first, last, cgroup, expected):
        """Each state grows by the wall time, once for each thread in it."""
        low, high = last.wall(first)
        for state, seconds in merged(last.state_deltas(first, cgroup.path)).items():
            threads = expected.get(state, 0)
            self.assertEqual(outside(seconds, threads * low, threads * high, 0.002), 0,
                             "%s: %.4f s for %d threads in %.4f to %.4f s" % (state, seconds, threads, low, high))


class BeforeTheAgent(Case):
    def test_threads_that_were_blocked_before_the_agent_started_are_right_on_the_first_scrape(self):
        with RuncRuntime() as runtime, RemoteShell(runtime, "seeded", workdir()) as shell:
            cgroup = shell.container.cgroup
            for kind in WAITERS:
                shell.do("waiter %s 1000 &" % kind)
            shell.do("burner 0 1 &")
            shell.do("sleep 1000 & sleep 0.1; kill -STOP $!")
            expected = collections.Counter(state for states in WAITERS.values() for state in states)
            expected.update({"on CPU": 1, "stopped": 1, "poll": 1})  # the burner, our own, the shell itself
            wait_until(lambda: len(tasks_of(cgroup)) == sum(expected.values()), 10, "all threads")
            self.wait_all_blocked(cgroup)

            with Agent(CONFIG) as agent:
                first = Reading(agent)
                self.check(first.families, cgroup, expected)
                lifetime = first.families.value("container_thread_lifetime_seconds_total", id=cgroup.path)
                each = lifetime / sum(expected.values())  # all are known since the same moment
                seconds = merged(first.families.by("state", "container_thread_seconds_total", id=cgroup.path))
                for state, threads in expected.items():
                    self.assertAlmostEqual(seconds.pop(state), threads * each, delta=0.002 * threads, msg=state)
                self.assertLess(sum(seconds.values()), 0.002, seconds)
                time.sleep(1)
                last = Reading(agent)
                self.check_growth(first, last, cgroup, expected)
                self.check(last.families, cgroup, expected)

    @staticmethod
    def wait_all_blocked(cgroup):
        """Until only the burner does anything: two looks, a while apart, show the same threads with the same counts."""
        def quiet():
            before = {tid: task for tid, task in tasks_of(cgroup).items() if task[0] != "R"}
            time.sleep(0.1)
            return len(before) == len(tasks_of(cgroup)) - 1 and before.items() <= tasks_of(cgroup).items()
        wait_until(quiet, 10, "quiet threads")


class Moved(Case):
    """A process is moved by another one, while all its threads are asleep: no hook of the scheduler sees it."""

    SCRIPT = """if True:
        import sys, threading, time
        for _ in range(6):
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()
        """
    STATES = {"sleep": 6, "pipe": 1}

    def test_a_sleeping_process_is_right_in_its_new_container_within_one_scrape(self):
        outside_of_all = self.enterContext(Cgroup("/plimsoll-elsewhere/moved"))
        one, two = (self.enterContext(Cgroup("/plimsoll-test/moved-" + name)) for name in ("one", "two"))
        process = outside_of_all.spawn([sys.executable, "-c", self.SCRIPT], stdin=-1, stdout=-1, text=True)
        self.addCleanup(process.communicate)
        process.stdout.readline()
        with Agent(CONFIG) as agent:
            wait_until(lambda: all(task[0] == "S" for task in tasks_of(outside_of_all).values()), 5, "sleep of all")
            asleep = tasks_of(outside_of_all)
            self.assertEqual(len(asleep), 7)
            for source, target in ((None, one), (one, two), (two, one), (one, None)):
                with self.subTest("from %s to %s" % (source and source.path, target and target.path)):
                    (target or outside_of_all).add(process.pid)
                    first = Reading(agent)
                    time.sleep(0.3)
                    last = Reading(agent)
                    for cgroup in (one, two):
                        expected = self.STATES if cgroup is target else {}
                        self.check(first.families, cgroup, expected)
                        self.check(last.families, cgroup, expected)
                        self.check_growth(first, last, cgroup, expected)
            self.assertEqual(tasks_of(outside_of_all), asleep)  # nobody woke

    def test_a_process_that_sleeps_in_a_container_stays_right_over_a_restart_of_the_agent(self):
        cgroup = self.enterContext(Cgroup("/plimsoll-test/restart"))
        process = cgroup.spawn([sys.executable, "-c", self.SCRIPT], stdin=-1, stdout=-1, text=True)
        self.addCleanup(process.communicate)
        process.stdout.readline()
        wait_until(lambda: [task[0] for task in tasks_of(cgroup).values()] == ["S"] * 7, 5, "sleep of all")
        for _ in range(2):
            with Agent(CONFIG) as agent:
                self.check(agent.metrics(), cgroup, self.STATES)


if __name__ == "__main__":
    unittest.main()
