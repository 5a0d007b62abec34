# SPDX-License-Identifier: Apache-2.0
"""kill -9 and start again, again and again under load: nothing stays in the kernel, and Prometheus sees no wrong rate."""

import mmap
import contextlib
import os
import random
import signal
import statistics
import struct
import threading
import time
import unittest

from under_load import (SLOWNESS, Agent, Born, Cgroup, Prometheus, count, free_port, held_by, still_there, wait_until,
                        watching)

PREFIX = "/plimsoll-test-killed"
WINDOW = 10


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class ExecLoad:
    """A process that has programs run, one after another, and how many there were at each moment."""

    def __init__(self, cgroup):
        self._shared = mmap.mmap(-1, 8)
        self._history = []
        self.born = Born(cgroup, self._body)
        cgroup.add(self.born.pid)  # v1 has a hierarchy for CPU time
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def count(self):
        return struct.unpack("q", self._shared[:8])[0]

    def fastest(self, seconds):
        """The most of them in any period of that length, in executions a second."""
        best = first = 0
        for end, executed in self._history:
            while end - self._history[first][0] > seconds:
                first += 1
            best = max(best, executed - self._history[first][1])
        return best / seconds

    def end(self):
        self._stopping.set()
        self._thread.join()
        self.born.kill()

    def _body(self):
        for executed in range(1 << 62):
            child = os.fork()
            if child == 0:
                os.execv("/bin/true", ["true"])
            os.waitpid(child, 0)
            self._shared[:8] = struct.pack("q", executed + 1)

    def _watch(self):
        while not self._stopping.wait(0.1):
            self._history.append((time.monotonic(), self.count()))


class Killed(unittest.TestCase):
    def setUp(self):
        self.port = free_port()
        groups = [self.enterContext(Cgroup("%s/%s" % (PREFIX, name))) for name in ("steady", "busy")]
        self.steady, self.busy = (group.path for group in groups)
        self.addCleanup(Born(groups[0], lambda: time.sleep(1000)).kill)
        self.busy_group, self.begins = groups[1], []

    def start(self):
        """(the agent, how long it took to be ready)"""
        begin = time.monotonic()
        self.begins.append(time.time())
        agent = Agent({**watching(PREFIX), "web": {"listen": ["127.0.0.1:%d" % self.port]}}, ready=False)
        agent.port = self.port
        agent.wait_ready()
        return agent, time.monotonic() - begin

    def kill(self, agent):
        """Until the kernel has nothing of it any more; how long that took."""
        held = held_by(agent.pid)
        self.assertTrue(all(held.values()), held)
        begin = time.monotonic()
        os.kill(agent.pid, signal.SIGKILL)
        agent.daemon.process.wait(10 * SLOWNESS)
        wait_until(lambda: not any(still_there(held).values()), 10, "the kernel's clean-up of %s" % held)
        agent.stop()
        return time.monotonic() - begin

    def undisturbed(self):
        """How long a start takes without load."""
        times = []
        for _ in range(3):
            agent, took = self.start()
            times.append(took)
            agent.stop()
        return statistics.median(times)

    def test_nothing_is_left_it_is_ready_soon_and_rates_are_right(self):
        before = self.undisturbed()
        load = ExecLoad(self.busy_group)
        ended = self.enterContext(contextlib.ExitStack())
        ended.callback(load.end)
        moments, starts, ends = random.Random(1), [], []
        with Prometheus(["127.0.0.1:%d" % self.port]) as prometheus:
            began = time.time()
            for _ in range(count(200, 15)):
                agent, took = self.start()
                starts.append(took)
                time.sleep(moments.uniform(0.1, 1.5))
                ends.append(self.kill(agent))
            window = (began, time.time())
            self.check_rates(prometheus, window, load)
            self.check_beginnings(prometheus, window)
            self.check_lives(prometheus, window)
        ended.close()
        usual = max(before, self.undisturbed())  # the machine may have become slower meanwhile
        print("    ready after %.2f s undisturbed; under load %.2f s, slowest %.2f s, %d of %d within 1 s; gone within %.2f s"
              % (usual, statistics.median(starts), max(starts), sum(took <= 1 for took in starts), len(starts), max(ends)))
        self.assertLess(statistics.median(starts), 2 * usual)
        if usual < 0.5:  # the machine is as fast as those that a start in a second is meant for
            self.assertLess(sum(took > 1 for took in starts), 0.05 * len(starts))

    def check_beginnings(self, prometheus, window):
        """A counter that began with what was before the agent would count that once more at each start."""
        series = prometheus.query("%s{id=\"%s\"}[%ds]" % ("container_thread_lifetime_seconds_total", self.steady,
                                                         window[1] - window[0] + 1), at=window[1])
        values = [(float(at), float(value)) for at, value in series[0]["values"]]
        self.assertGreater(len(values), 2)
        for at, value in values:
            begin = max(moment for moment in self.begins if moment < at)
            self.assertLess(value, at - begin + 1, "a scrape at %f takes at most a second" % at)

    def check_lives(self, prometheus, window):
        """As rate() takes whatever goes back for a restart, nothing may go back but there."""
        found = prometheus.query('{__name__=~"container_.*_total",id=~"%s/.*"}[%ds]' % (PREFIX, window[1] - window[0] + 1),
                                 at=window[1])
        self.assertGreater(len(found), 100)
        (life,) = prometheus.query("process_start_time_seconds[%ds]" % (window[1] - window[0] + 1), at=window[1])
        life = {float(at): value for at, value in life["values"]}
        pairs, wrong = 0, []
        for one in found:
            values = [(float(at), float(value)) for at, value in one["values"]]
            for (earlier, old), (later, new) in zip(values, values[1:]):
                if life[earlier] == life[later]:
                    pairs += 1
                    if new < old:
                        wrong.append((one["metric"], earlier, old, later, new))
        self.assertGreater(pairs, 0)
        self.assertEqual(wrong, [])

    def check_rates(self, prometheus, window, load):
        def extremes(expression):
            (series,) = prometheus.query_range(expression, *window)
            values = [float(value) for _, value in series["values"]]
            self.assertGreater(len(values), 5, expression)
            return min(values), max(values)
        rate = lambda family, path: "sum(rate(%s{id=\"%s\"}[%ds]))" % (family, path, WINDOW)
        most = {rate("container_thread_seconds_total", self.steady): 1,
                rate("container_thread_lifetime_seconds_total", self.steady): 1,
                rate("container_process_execs_total", self.busy): load.fastest(2),
                rate("container_process_forks_total", self.busy): load.fastest(2),
                rate("container_cpu_usage_seconds_total", self.busy): 1}
        found = {expression: extremes(expression) for expression in most}
        print("    %s" % {expression: "%.3f to %.3f of %.3f" % (*found[expression], most[expression]) for expression in most})
        for expression, (_, largest) in found.items():
            self.assertLessEqual(largest, 1.1 * most[expression], expression)
            self.assertGreater(largest, 0, expression)


if __name__ == "__main__":
    unittest.main()
