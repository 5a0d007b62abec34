# SPDX-License-Identifier: Apache-2.0
"""Containers come and go by the thousand: each is seen, and afterwards everything is as it was before."""

import os
import time
import unittest

from under_load import (Agent, Born, Cgroup, Crowd, RuncRuntime, Rootfs, count, entries, held_by, ids, kernel_failures,
                        some_of, wait_until)

PREFIX = "/plimsoll-test-turnover"
LINGER = 5


def files(pid):
    """How many it has open, without the connections of those who ask it."""
    folder = "/proc/%d/fd/" % pid
    return sum(not os.readlink(folder + number).startswith("socket:") for number in os.listdir(folder))


def heap_mib(pid):
    """Its memory without what of its program and libraries has been used by now."""
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024
EXITS = "container_process_exits_total"
LIFETIME = "container_thread_lifetime_seconds_total"
EXHAUSTED = ("scope", "provisional_slots_exhausted")
ADDED, REMOVED = "plimsoll_containers_added_total", "plimsoll_containers_removed_total"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Turnover(unittest.TestCase):
    """In batches, and each batch is looked at before it has lingered."""

    MAX, BATCH = 100, 40

    def plain(self, agent, crowd, number):
        """So many cgroups in which a process lived, or fewer when that takes long; each has its own life on the page."""
        lives = {}
        began = time.monotonic()
        while len(lives) < number and time.monotonic() - began < LINGER / 4:
            name = "row-%d" % len(lives)
            path = crowd.add(name)
            lives[path] = Born(Cgroup(path), lambda: time.sleep(0.001) or 7).wait()
            crowd.remove_one(name)
        families = some_of(agent, LIFETIME, EXITS, "container_threads")
        lifetimes = families.by("id", LIFETIME)
        exits = families.by("id", EXITS, outcome="failure")
        threads = families.by("id", "container_threads")
        for path, life in lives.items():
            if path not in exits:
                self.missed.append(path)
                continue
            self.assertEqual((exits.get(path), threads.get(path)), (1, 0), path)
            self.assertTrue(life.inside <= lifetimes[path] <= life.outside, (path, life.inside, lifetimes[path], life.outside))
        return len(lives)

    def real(self, agent, runtime, number):
        """A container of runc, with an init that runs two programs and fails."""
        path = "%s/real-%d" % (PREFIX, number)
        script = "busybox true; busybox sleep 0; exit 7"
        container = runtime.run("real-%d" % number, ["sh", "-c", script], cgroup=path)
        container.wait()
        container.remove()
        if number % 10 == 0:
            families = some_of(agent, EXITS, "container_threads", "container_process_execs_total")
            self.assertEqual(families.value(EXITS, id=path, outcome="failure"), 1, path)
            self.assertEqual(families.value("container_threads", id=path), 0, path)
            self.assertGreaterEqual(families.value("container_process_execs_total", id=path), 3, path)

    def turn_over(self, agent, runtime, crowd, plain, numbers):
        """How many came and went."""
        done = 0
        while done < plain:
            done += self.plain(agent, crowd, min(self.BATCH, plain - done))
        for number in numbers:
            self.real(agent, runtime, number)
        return done + len(numbers)

    def rest(self, agent):
        """The state of the agent when nothing is left of any container."""
        wait_until(lambda: not ids(some_of(agent, "container_threads")), LINGER + 3, "the end of the linger", interval=0.2)
        families = agent.metrics()
        held = held_by(agent.pid)
        counted = entries(held)
        # a disk's entry comes with the disk's first request, whoever's it is, and goes with the disk
        self.assertLessEqual(counted.pop("block_disks"), len(os.listdir("/sys/block")))
        return {"series": sum(len(family.samples) for family in families.values()),
                "files": files(agent.pid),
                "containers": families.sum("plimsoll_containers"),
                "entries": counted, "objects": {kind: len(held[kind]) for kind in held},
                "MiB": heap_mib(agent.pid)}

    def test_everything_returns_to_where_it_was(self):
        plain, real = count(20000, 2000), count(500, 50)
        config = {"containers": {"discover": [], "linger": "%ds" % LINGER, "max": self.MAX,
                                 "cgroups": [{"path": PREFIX + "/*"}, {"path": PREFIX + "-rows/*"}]}}
        self.missed = []
        with Agent(config) as agent, RuncRuntime(Rootfs(with_workloads=False)) as runtime, \
                Crowd(Cgroup(PREFIX + "-rows")) as crowd:
            began = time.monotonic()
            self.turn_over(agent, runtime, crowd, 3 * self.BATCH, range(1))  # what is made once
            before = self.rest(agent)
            counted = {name: agent.value(name) for name in (ADDED, REMOVED)}
            done = self.turn_over(agent, runtime, crowd, plain // 2, range(1, real // 2))
            halfway = self.rest(agent)
            done += self.turn_over(agent, runtime, crowd, plain // 2, range(real // 2, real))
            after = self.rest(agent)
            families = agent.metrics()
            print("    %d cgroups and containers in %.1f s; before %s, MiB halfway %.1f, after %s"
                  % (done, time.monotonic() - began, before, halfway["MiB"], after))
            for name, value in counted.items():
                self.assertEqual(families.value(name) - value, done, name)
            # At first the heap takes what its pieces and holes need in the long run. A leak would go on.
            halfway_mib = halfway.pop("MiB")
            self.assertLess(after.pop("MiB") - halfway_mib, 1)
            self.assertLess(halfway_mib - before.pop("MiB"), 4)
            self.assertEqual((halfway, after), (before, before))
            failures = kernel_failures(families)
            # who finds no slot because others on this machine have just been born is missed, and counted
            self.assertLessEqual(len(self.missed), failures.pop(EXHAUSTED, 0), self.missed)
            self.assertEqual(failures, {})
            self.assertEqual(families.value("plimsoll_events_lost_total"), 0)
            self.assertEqual(families.value("plimsoll_containers_overflow"), 0)
            time.sleep(max(0.0, 32 - (time.monotonic() - began)))  # one slow walk of the tree, which must find nothing
            self.assertEqual(agent.value("plimsoll_cgroup_resync_corrections_total"), 0)


if __name__ == "__main__":
    unittest.main()
