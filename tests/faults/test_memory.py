# SPDX-License-Identifier: Apache-2.0
"""Little memory, few processes: below its minimum the agent refuses and says what it needs; from there on it serves 20
containers. It is never killed without a word. What became of each limit is printed."""

import os
import unittest

from limited import MIB, Limited
from startbed import FULL, PREFIX, SLOWNESS, Cgroup, Start, refusal_problems

CONTAINERS = 20
SCRAPES = 20
SIZES = (16, 20, 24, 28, 32, 36, 37, 38, 39, 40, 44, 48, 56, 64) if FULL else (16, 32, 40, 64)
ADDRESSES = (8, 16, 32, 64, 96, 112, 128, 160, 192) if FULL else (32, 112, 192)  # MiB of address space
PROCESSES = (*range(1, 60),) if FULL else (1, 20, 49, 50, 51, 52)  # it has 51 threads
ENOUGH = 39  # what docs/operations.md says, for two CPUs


def least():
    """MiB that the agent needs here: what it says itself."""
    with Limited(min(SIZES)) as limited, Start(limited.wrapper()) as start:
        return int(start.complaints()[-1].split("needs ")[1].split(" ")[0])


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for number in range(CONTAINERS):
            cgroup = Cgroup("%s/some-%d" % (PREFIX, number)).create()
            cls.addClassCleanup(cgroup.spawn(["sleep", "1000"]).wait)
            cls.addClassCleanup(cgroup.remove)  # before it is waited for

    def serve(self, start):
        """Scrapes on end; a page each time, with all containers on it."""
        for _ in range(SCRAPES):
            page = start.agent.metrics()
            self.assertEqual(len([found for found in page.samples("container_threads")
                                  if found.labels["id"].startswith(PREFIX + "/some-")]), CONTAINERS)
        self.assertEqual(start.stop(), 0)

    def test_each_limit_of_the_cgroup_is_refused_or_enough(self):
        needed = least()
        if os.cpu_count() == 2:
            self.assertLessEqual(needed, ENOUGH)
        print("| limit | what the agent does | most that it used |\n|---|---|---|")
        for mib in SIZES:
            with self.subTest(mib), Limited(mib) as limited, Start(limited.wrapper()) as start:
                if mib < needed:
                    self.assertEqual(refusal_problems(start), [])
                    self.assertIn("needs %d MiB" % needed, start.complaints()[-1])
                    print("| %d MiB | refuses: “%s” | – |" % (mib, start.complaints()[-1]))
                    continue
                self.assertTrue(start.ready, start.log())
                self.serve(start)
                print("| %d MiB | serves %d containers | %.1f MiB |" % (mib, CONTAINERS, limited.most_used_mib()))

    def test_a_limit_of_a_cgroup_around_it_counts(self):
        with Limited(16) as limited, Cgroup(limited.cgroup.path + "/inner") as inner:
            limited.cgroup, outer = inner, limited.cgroup
            with Start(limited.wrapper()) as start:
                self.assertEqual(refusal_problems(start), [])
                self.assertIn(outer.path + "/memory.", start.complaints()[-1])
            limited.cgroup = outer

    def test_each_limit_of_processes_is_refused_or_enough(self):
        """Each thread is a process to the limit; whichever of them cannot be started."""
        ready = []
        for pids in PROCESSES:
            with self.subTest(pids), Limited(pids=pids) as limited, Start(limited.wrapper()) as start:
                ready.append(start.ready)
                if start.ready:
                    self.serve(start)
                else:
                    self.assertEqual(refusal_problems(start), [])
                print("%d processes: %s" % (pids, start.complaints()[-1:] or "serves"))
        self.assertEqual(ready, sorted(ready))
        self.assertEqual({False, True}, set(ready))

    def test_each_limit_of_addresses_is_refused_or_enough(self):
        for mib in ADDRESSES:
            with self.subTest(mib), Start(["prlimit", "--as=%d" % (mib * MIB)]) as start:
                if start.ready:
                    self.serve(start)
                else:
                    # The dynamic loader, not the agent, speaks where even the libraries find no room.
                    if start.code != 127:
                        self.assertEqual(refusal_problems(start), [])
                    self.assertTrue(start.complaints())
                    self.assertLess(start.took, 10 * SLOWNESS)
                print("address space of %d MiB: %s" % (mib, start.complaints()[-1:] or "serves"))


if __name__ == "__main__":
    unittest.main()
