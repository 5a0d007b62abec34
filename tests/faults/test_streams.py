# SPDX-License-Identifier: Apache-2.0
"""Nobody takes what the agent says: a full disk, closed streams, no journal, no service manager. It serves all the same, and
where another way to say it is left, it takes that."""

import os
import unittest

from startbed import Start, refusal_problems, workdir

TAKEN = {"web": {"listen": ["192.0.2.1:9752"]}}  # an address of another machine: it cannot start


def shell(redirection):
    return ["sh", "-c", 'exec "$@" ' + redirection, "sh"]


class Streams(unittest.TestCase):
    def check_serves(self, wrapper, **options):
        with Start(wrapper, **options) as start:
            self.assertTrue(start.ready, start.log())
            page = start.agent.metrics()
            self.assertEqual(page.value("plimsoll_probe_up", probe="ledger"), 1)
            self.assertEqual(start.stop(), 0)
            return start.log()

    def check_refuses(self, wrapper, **options):
        with Start(wrapper, **options) as start:
            self.assertEqual((start.ready, start.hangs, start.code), (False, False, 1))

    def test_a_full_disk_below_the_log(self):
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            before = mounts.read()
        self.check_serves(shell("2>/dev/full"))
        full = "mount -t tmpfs -o size=4k none %s; head -c 8192 /dev/zero >%s/filler 2>/dev/null || true; " \
               'exec "$@" 2>>%s/filler'
        self.check_serves(["unshare", "--mount", "sh", "-ec", full.replace("%s", workdir()), "sh"])
        with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
            self.assertEqual(mounts.read(), before)

    def test_streams_that_are_closed_one_by_one(self):
        for redirection in ("<&-", ">&-", "2>&-", "<&- 2>&-", ">&- 2>&-"):
            with self.subTest(redirection):
                self.check_serves(shell(redirection))

    def test_a_refusal_that_nobody_hears_has_its_exit_code(self):
        for redirection in ("2>/dev/full", "2>&-"):
            with self.subTest(redirection):
                self.check_refuses(shell(redirection), config=TAKEN)


class Services(unittest.TestCase):
    NO_JOURNAL = ["unshare", "--mount", "sh", "-ec", 'mkdir -p /run/systemd; mount -t tmpfs none /run/systemd; exec "$@"', "sh"]

    def test_without_a_journal_the_log_goes_to_standard_error(self):
        with Start(self.NO_JOURNAL, config={"log": {"format": "journal", "level": "info"}}) as start:
            self.assertTrue(start.ready, start.log())
            self.assertIn("/run/systemd/journal/socket", start.log())
            self.assertIn("watching", start.log())

    def test_without_a_journal_a_refusal_is_heard_all_the_same(self):
        with Start(self.NO_JOURNAL, config={"log": {"format": "journal"}, **TAKEN}) as start:
            self.assertEqual(refusal_problems(start), [])
            self.assertIn("192.0.2.1", start.complaints()[-1])

    def test_a_service_manager_that_is_nowhere_is_told_in_the_log(self):
        for address in ("/nowhere/notify", "@plimsoll-nobody", "nonsense"):
            with self.subTest(address):
                with Start(env={**os.environ, "NOTIFY_SOCKET": address}) as start:
                    self.assertTrue(start.ready, start.log())
                    start.agent.metrics()
                    self.assertEqual(start.stop(), 0)
                    self.assertIn("NOTIFY_SOCKET", "\n".join(start.complaints()))

    def test_a_watchdog_that_makes_no_sense_is_a_refusal(self):
        with Start(env={**os.environ, "WATCHDOG_USEC": "often"}) as start:
            self.assertEqual(refusal_problems(start), [])
            self.assertIn("WATCHDOG_USEC", start.complaints()[-1])


if __name__ == "__main__":
    unittest.main()
