# SPDX-License-Identifier: Apache-2.0
"""Processes that live and die between two scrapes: each one counted, by how it ended, with the CPU time it took."""

import json
import unittest

from testbed import Agent, Reading, RemoteShell, RuncRuntime, cpu_seconds, outside, workdir

CONFIG = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}]}}
SIGNALS_SEEN = ("SIGKILL", "SIGSEGV", "SIGTERM")


def process_counts(families, container_id):
    """Everything that the process probe counts, absent outcomes as 0."""
    exits = families.by("outcome", "container_process_exits_total", id=container_id)
    counts = {"exits " + outcome: exits.get(outcome, 0) for outcome in {"success", "failure", *SIGNALS_SEEN, *exits}}
    for name in ("container_process_forks_total", "container_process_execs_total", "container_process_seconds_count",
                 "container_oom_events_total"):
        counts[name.removeprefix("container_").removesuffix("_total")] = families.value(name, id=container_id)
    return counts


class Processes(unittest.TestCase):
    def setUp(self):
        self.runtime = self.enterContext(RuncRuntime())
        self.agent = self.enterContext(Agent(CONFIG))

    def shell(self, name, **options):
        shell = self.enterContext(RemoteShell(self.runtime, name, workdir(), **options))
        self.agent.wait_value("container_threads", lambda threads: threads == 1, id=shell.id)
        return shell

    def assert_counted(self, before, after, container_id, **expected):
        old, new = process_counts(before, container_id), process_counts(after, container_id)
        grown = {what: new[what] - old.get(what, 0) for what in new if new[what] != old.get(what, 0)}
        self.assertEqual(grown, {what.replace("_OF_", " "): count for what, count in expected.items()})

    def at_rest(self, shell):
        """A scrape when all that is left of an order is the shell; the last child may still be on its way out."""
        return self.agent.wait_value("container_threads", lambda threads: threads == 1, id=shell.id)

    def test_a_thousand_processes_of_a_millisecond_are_counted_with_their_cpu_time(self):
        shell, bystander = self.shell("forker"), self.shell("bystander")
        first = Reading(self.agent, cpu=cpu_seconds(shell.id))
        self.assertEqual(shell.do("forker 1000 1000 >/out/truth"), 0)
        families = self.at_rest(shell)
        last = Reading(self.agent, cpu=cpu_seconds(shell.id))

        # The shell forks once, that child becomes the forker; all end well.
        self.assert_counted(first.families, families, shell.id, process_forks=1001, process_execs=1,
                            exits_OF_success=1001, process_seconds_count=1001)
        self.assert_counted(first.families, families, bystander.id)
        for family in ("container_threads", "container_processes"):
            self.assertEqual(families.value(family, id=shell.id), 1, family)

        low, high = last.growth(first, "cpu")
        charged, switches = last.charged_delta(first, shell.id), last.switches_delta(first, shell.id)
        print("    1000 processes: agent %.4f s, kernel %.4f to %.4f s (%+.2f %%), %d switches"
              % (charged, low, high, (charged / high - 1) * 100, switches))
        self.assertGreaterEqual(low, 1.0)
        self.assertEqual(outside(charged, low, high, 0.02 * high), 0)
        self.assertGreater(charged, json.loads(shell.read("truth"))["cpu_ns"] / 1e9 * 0.98)

        # Each lived for at least its millisecond of CPU, and the forker ran them one after the other.
        lifetimes = last.delta(first, "container_process_seconds_sum", id=shell.id)
        self.assertGreater(lifetimes, 1.0)
        short = [s for s in families.samples("container_process_seconds_bucket", id=shell.id)
                 if s.labels["le"] not in ("+Inf",) and float(s.labels["le"]) < 0.001]
        self.assertEqual({s.value for s in short}, {0})

    def test_every_way_to_end_is_told_apart(self):
        shell, bystander = self.shell("ends"), self.shell("bystander")
        before = self.at_rest(shell)
        shell.do("for i in 1 2 3 4 5 6 7; do (exit $i); done; for i in 1 2 3 4 5; do sh -c 'kill -KILL $$'; done; "
                 "for i in 1 2 3; do sh -c 'kill -SEGV $$'; done; for i in 1 2; do sh -c 'kill -TERM $$'; done; "
                 "for i in 1 2 3 4 5 6 7 8 9 10; do (exit 0); done; burner 0.05 5")  # five threads are one process
        after = self.at_rest(shell)
        self.assert_counted(before, after, shell.id, exits_OF_failure=7, exits_OF_SIGKILL=5, exits_OF_SIGSEGV=3,
                            exits_OF_SIGTERM=2, exits_OF_success=11, process_forks=28, process_execs=11,
                            process_seconds_count=28)
        self.assert_counted(before, after, bystander.id)

    def test_oom_kills_are_counted_for_the_container_that_the_victim_lived_in(self):
        shell, bystander = self.shell("hungry", memory=24 << 20), self.shell("bystander", memory=24 << 20)
        before = self.at_rest(shell)
        for _ in range(3):
            self.assertEqual(shell.do("/bin/dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null"), 128 + 9)
        shell.do("sh -c 'kill -KILL $$'")  # not every SIGKILL is the OOM killer's
        after = self.at_rest(shell)
        self.assert_counted(before, after, shell.id, exits_OF_SIGKILL=4, oom_events=3, process_forks=4,
                            process_execs=4, process_seconds_count=4)
        self.assert_counted(before, after, bystander.id)
        self.assertEqual(shell.container.cgroup.oom_kills(), 3)  # the kernel agrees


if __name__ == "__main__":
    unittest.main()
