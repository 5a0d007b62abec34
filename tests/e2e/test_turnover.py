# SPDX-License-Identifier: Apache-2.0
"""Many containers in a short time: each is seen, and afterwards everything is as it was before."""

import os
import signal
import time
import unittest

from testbed import (Agent, Born, Cgroup, RuncRuntime, entries, held_by, hierarchies, ids, kernel_failures, now,
                     wait_until, watching)

PREFIX = "/plimsoll-turnover"
LINGER = 2
LIFETIME = "container_thread_lifetime_seconds_total"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def config(**containers):
    return watching(PREFIX, linger="%ds" % LINGER, **containers)


class Stall(unittest.TestCase):
    def test_what_happens_while_the_agent_gets_no_cpu_is_accounted_all_the_same(self):
        births, kept = 1000, 10  # far more than newborn cgroups can have slots for before the agent looks
        top = hierarchies()[""] + PREFIX
        groups = [Cgroup("%s/kept-%d" % (PREFIX, number)) for number in range(kept)]
        with Agent(config(max=100)) as agent, Cgroup(PREFIX + "/ends") as ending:
            old = Born(ending, lambda: time.sleep(1000))
            agent.metrics()
            os.kill(agent.pid, signal.SIGSTOP)
            old.kill()
            for number in range(births):
                os.mkdir("%s/brief-%d" % (top, number))
                os.rmdir("%s/brief-%d" % (top, number))
            for group in groups:
                self.addCleanup(group.remove)
                group.create()
            born = [Born(group, lambda: time.sleep(1000)) for group in groups]
            os.kill(agent.pid, signal.SIGCONT)
            before = now()
            families = agent.metrics()
            after = now()
            self.assertEqual(families.value("plimsoll_events_lost_total"), 0)
            self.assertEqual(families.value("plimsoll_containers_added_total"), births + kept + 1)
            self.assertEqual(families.sum("container_processes"), kept)
            grown = families.sum(LIFETIME) - families.value(LIFETIME, id=ending.path)
            self.assertGreaterEqual(grown, sum(before - process.after for process in born))
            self.assertLessEqual(grown, sum(after - process.before for process in born))
            self.assertLess(families.value("plimsoll_ledger_residual_seconds"), 0.001)
            wait_until(lambda: not [path for path in ids(agent.metrics()) if "brief" in path], LINGER + 3)
            for process, group in zip(born, groups):
                process.kill()
                group.remove()
            with Cgroup(PREFIX + "/afterwards") as cgroup:
                life = Born(cgroup, lambda: 0).wait()
                lifetime = agent.value(LIFETIME, id=cgroup.path)
                self.assertTrue(life.inside <= lifetime <= life.outside, (life.inside, lifetime, life.outside))


class TwoHundred(unittest.TestCase):
    """200 containers in a row: each is seen, and afterwards everything is as it was before."""

    REAL, PLAIN, MAX = 100, 100, 40

    def one(self, agent, runtime, number):
        """Starts and ends a container; returns what its last page must say: {series: value}."""
        path = "%s/row-%d" % (PREFIX, number)
        if runtime:
            script = "busybox true; busybox sleep 0; exit 7"
            container = runtime.run("row-%d" % number, ["sh", "-c", script], cgroup=path)
            container.wait()
            container.remove()
            return path, None
        with Cgroup(path) as cgroup:
            return path, Born(cgroup, lambda: time.sleep(0.001) or 7).wait()

    def look(self, agent, path, life):
        families = agent.metrics()
        lifetime = families.value(LIFETIME, id=path)
        self.assertEqual(families.value("container_process_exits_total", id=path, outcome="failure"), 1, path)
        self.assertEqual(families.value("container_threads", id=path), 0, path)
        if life:
            self.assertTrue(life.inside <= lifetime <= life.outside, (path, life.inside, lifetime, life.outside))
        else:
            self.assertGreaterEqual(families.value("container_process_execs_total", id=path), 3, path)

    def rest(self, agent):
        """The state of the agent when nothing is left of any container."""
        wait_until(lambda: not ids(agent.metrics()), LINGER + 3, "the end of the linger", interval=0.2)
        families = agent.metrics()
        held = held_by(agent.pid)
        return {"series": sum(len(family.samples) for family in families.values()),
                "descriptors": families.value("process_open_fds"),
                "containers": families.sum("plimsoll_containers"),
                "entries": entries(held), "objects": {kind: len(held[kind]) for kind in held},
                "MiB": families.value("process_resident_memory_bytes") / (1 << 20)}

    def test_everything_returns_to_where_it_was(self):
        with Agent(config(max=self.MAX)) as agent, RuncRuntime() as runtime:
            began = time.monotonic()
            for number in range(60):  # the allocator's own start
                self.one(agent, None, number)
            before = self.rest(agent)
            counted = {name: agent.value(name) for name in
                       ("plimsoll_containers_added_total", "plimsoll_containers_removed_total")}
            for number in range(self.REAL + self.PLAIN):
                path, life = self.one(agent, runtime if number < self.REAL else None, 100 + number)
                self.look(agent, path, life)
            took = time.monotonic() - began
            after = self.rest(agent)
            families = agent.metrics()
            for name, value in counted.items():
                self.assertEqual(families.value(name) - value, self.REAL + self.PLAIN, name)
            print("    200 containers in %.1f s; before %s, after %s" % (took, before, after))
            growth = after.pop("MiB") - before.pop("MiB")
            self.assertEqual(after, before)
            self.assertLess(growth, 2)
            self.assertEqual(kernel_failures(families), {})
            self.assertEqual(families.value("plimsoll_events_lost_total"), 0)
            self.assertEqual(families.value("plimsoll_containers_overflow"), 0)
            time.sleep(max(0.0, 32 - (time.monotonic() - began)))  # one slow walk of the tree, which must find nothing
            self.assertEqual(agent.value("plimsoll_cgroup_resync_corrections_total"), 0)


if __name__ == "__main__":
    unittest.main()
