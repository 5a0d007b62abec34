# SPDX-License-Identifier: Apache-2.0
"""Containers that are gone before they have been looked at, under names that come again, and process ids that do: no number
of one reaches another."""

import os
import subprocess
import unittest

from startbed import (CANNOT_START, FULL, PREFIX, SLOWNESS, Born, Busy, Cgroup, Start, binary, defer, kernel_failures, parse,
                      time, wait_until, workdir)
from test_system_calls import fallen

NAMES = 5
SECONDS = 30 if FULL else 6
PID_MAX = "/proc/sys/kernel/pid_max"
LIFETIME = "container_thread_lifetime_seconds_total"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Vanishing(unittest.TestCase):
    def test_scrapes_at_full_speed_while_containers_come_and_go_under_the_same_names(self):
        config = {"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/*"}], "linger": "1s"},
                  "probes": {probe: {"enabled": False} for probe in CANNOT_START}}
        with Busy() as busy, Start(config=config) as start:
            lives, folder = [], workdir()
            scraper = subprocess.Popen(["sh", "-c", 'while curl -fsS -o "$2/$((n += 1))" "$1"; do :; done', "sh",
                                        "http://127.0.0.1:%d/metrics" % start.agent.port, folder])
            undo = defer(scraper.kill)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                with Cgroup("%s/vanishing-%d" % (PREFIX, len(lives) % NAMES)) as cgroup:
                    lives.append(Born(cgroup, lambda: None).wait())
            self.assertIsNone(scraper.poll(), "a scrape failed")
            undo.run()
            scraper.wait()
            pages = [read(folder + "/" + name) for name in sorted(os.listdir(folder), key=int)[:-1]]  # the last was cut off
            self.check(busy, [parse(page) for page in pages], lives)
            after = start.agent.metrics()
            self.assertEqual(after.value("plimsoll_containers_added_total"), len(lives) + 1)
            wait_until(lambda: start.agent.value("plimsoll_containers_removed_total") == len(lives), 10, "the end of all")
            print("%d containers, %d scrapes" % (len(lives), len(pages)))
            self.assertEqual(start.stop(), 0)
            self.assertEqual(start.complaints(), [])

    def check(self, busy, pages, lives):
        longest = max(life.outside for life in lives)
        for before, page in zip(pages, pages[1:]):
            self.assertEqual([line for line in fallen(before, page) if busy.id in line or line.startswith("plimsoll_")], [])
        for page in pages:
            failures = kernel_failures(page)
            # a thread born while a visit of all threads is interrupted on its CPU has to wait for the next visit
            self.assertLessEqual(failures.pop(("scope", "task_storage_full"), 0), 1 + len(lives) // 100)
            self.assertEqual(failures, {})
            self.assertEqual(len(page.samples("container_threads", id=busy.id)), 1)
            for sample in page.samples(LIFETIME):
                if "/vanishing-" in sample.labels["id"]:
                    self.assertLessEqual(sample.value, longest)
            for sample in page.samples("container_process_forks_total"):
                if "/vanishing-" in sample.labels["id"]:
                    self.assertLessEqual(sample.value, 1)
        self.assertGreater(len(pages), 10 if SLOWNESS == 1 else 2)
        self.assertGreater(len(lives), 10)


class ProcessIds(unittest.TestCase):
    def setUp(self):
        with open(PID_MAX, encoding="utf-8") as file:
            self.most = int(file.read())
        if self.most > 1 << 16:
            self.lower()

    def lower(self):
        """For this test only: so that numbers come again in seconds."""
        def write(number):
            with open(PID_MAX, "w", encoding="utf-8") as file:
                file.write(str(number))
        undo = defer(lambda former=self.most: write(former))
        self.addCleanup(undo.run)
        self.most = 1 << 15
        write(self.most)

    def test_numbers_that_come_again_belong_to_whoever_has_them_now(self):
        """Two containers share all numbers there are: each process is counted once, and where it was."""
        count = self.most // 2 + 1000
        with Start() as start, Cgroup(PREFIX + "/odd") as odd, Cgroup(PREFIX + "/even") as even:
            forkers = {cgroup.path: cgroup.spawn([binary("forker"), count, 0], stdout=subprocess.DEVNULL)
                       for cgroup in (odd, even)}
            for forker in forkers.values():
                self.assertEqual(forker.wait(timeout=120 * SLOWNESS), 0)
            page = start.agent.metrics()
            for path in forkers:
                self.assertEqual(page.value("container_process_forks_total", id=path), count)
                self.assertEqual(page.by("outcome", "container_process_exits_total", id=path)["success"], count + 1)
                self.assertEqual(page.value("container_processes", id=path), 0)
                self.assertEqual(page.value("container_threads", id=path), 0)
            self.assertEqual(kernel_failures(page), {})


if __name__ == "__main__":
    unittest.main()
