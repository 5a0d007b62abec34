# SPDX-License-Identifier: Apache-2.0
"""Scrapers that are hostile, and too many at once: the honest one is served as if it were alone."""

import contextlib
import csv
import itertools
import json
import os
import signal
import subprocess
import time
import unittest

from under_load import SLOWNESS, Agent, Cgroup, Crowd, Scraper, count, defer, ids, wait_until, watching, workdir

PREFIX = "/plimsoll-test-scrapers"
CONTAINERS = 8
CONNECTIONS = 200
ATTACKS = {"headers": ("-H", "-i", "1", "-t", "GET"),
           "bodies": ("-B", "-i", "1", "-s", "8192", "-t", "POST", "-x", "10"),
           "reading": ("-X", "-w", "1", "-y", "8", "-n", "1", "-z", "8", "-k", "3")}


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Case(unittest.TestCase):
    def setUp(self):
        crowd = self.enterContext(Crowd(Cgroup(PREFIX + "/served")))
        for number in range(CONTAINERS):
            crowd.add("served-%02d" % number)
        self.config = watching(PREFIX + "/served", linger="1s")
        self.agent = self.enterContext(Agent(self.config))


class Slow(Case):
    @contextlib.contextmanager
    def attack(self, arguments, seconds):
        """slowhttptest meanwhile; yields a function that tells how many connections it has made so far."""
        base = workdir() + "/attack"
        argv = ["slowhttptest", "-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-l", str(seconds + 5), "-p", "2", "-g",
                "-o", base, *arguments, "-u", "http://127.0.0.1:%d/metrics" % self.agent.port]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        undo = defer(process.kill)

        def made():
            if not os.path.exists(base + ".csv"):
                return 0
            with open(base + ".csv", encoding="utf-8") as file:
                rows = [[int(cell) for cell in row[1:4]] for row in list(csv.reader(file))[1:] if len(row) > 3]
            return max((sum(row) for row in rows), default=0)
        try:
            yield made
        finally:
            process.terminate()
            process.wait(20 * SLOWNESS)
            undo.cancel()

    @staticmethod
    def watch(seconds, *agents):
        """What a scraper of each gets in that time."""
        with contextlib.ExitStack() as stack:
            scrapers = [stack.enter_context(Scraper(agent, 0.5)) for agent in agents]
            time.sleep(seconds)
        return scrapers

    def test_slow_headers_bodies_and_readers_do_not_slow_a_scrape(self):
        """Nor does the machine matter: another agent beside it, which nobody attacks, has the same to do."""
        seconds = count(60, 5)
        spared = self.enterContext(Agent(self.config))
        for name, arguments in ATTACKS.items():
            with self.subTest(name):
                with self.attack(arguments, seconds) as made:
                    time.sleep(1)
                    beside, alone = self.watch(seconds, self.agent, spared)
                connections = made()
                print("    %-8s %d connections: median %.4f s, slowest %.4f s; of one that is spared %.4f s; %d of %d failed" % (
                    name, connections, beside.median(), beside.slowest(), alone.median(), len(beside.failures()),
                    len(beside.answers)))
                self.assertGreater(connections, CONNECTIONS / 4)  # those that are thrown out at once are not told
                self.assertLessEqual(len(beside.failures()), 0.01 * len(beside.answers), beside.failures())
                self.assertLess(beside.median(), 2 * alone.median())
                self.assertEqual(len(ids(beside.parsed()[1])), CONTAINERS)

    def test_afterwards_nothing_is_left_of_them(self):
        before = self.agent.value("process_open_fds")
        with self.attack(ATTACKS["headers"], 3) as made:
            time.sleep(3)
        self.assertGreater(made(), 0)
        wait_until(lambda: self.agent.value("process_open_fds") <= before, 20, "the end of their connections", interval=0.2)


class Many(Case):
    SCRAPERS = 32

    def reload(self, number):
        """Another set of labels, so that each page is rendered anew by other rules."""
        rules = [{"path": PREFIX + "/served/*", **({"name": "round-%d" % number} if number % 2 else {})}]
        web = {"listen": ["127.0.0.1:%d" % self.agent.port]}
        self.agent.write_config(json.dumps({**self.config, "web": web, "log": {"level": "info"},
                                            "containers": {"discover": [], "cgroups": rules, "linger": "1s"}}))
        done = self.agent.log().count("is in force")
        os.kill(self.agent.pid, signal.SIGHUP)
        wait_until(lambda: self.agent.log().count("is in force") > done, 20, "the end of reload %d" % number)

    def test_no_scrape_is_lost_and_no_page_torn_while_the_configuration_is_read_again(self):
        formats = (None, {"Accept": "text/plain"})
        with contextlib.ExitStack() as stack:
            scrapers = [stack.enter_context(Scraper(self.agent, 0.1, formats[number % 2]))
                        for number in range(self.SCRAPERS)]
            for number in itertools.count():
                if number >= count(500, 10) and all(len(scraper.answers) > 3 for scraper in scrapers):
                    break
                self.reload(number)
        answers = sum(len(scraper.answers) for scraper in scrapers)
        print("    %d scrapes, slowest %.3f s" % (answers, max(scraper.slowest() for scraper in scrapers)))
        self.assertEqual([failure for scraper in scrapers for failure in scraper.failures()], [])
        for page in scrapers[0].parsed() + scrapers[1].parsed():
            self.assertEqual(len(ids(page)), CONTAINERS)
        self.assertEqual(self.agent.stop(), 0, self.agent.log())  # a sanitizer ends it otherwise


if __name__ == "__main__":
    unittest.main()
