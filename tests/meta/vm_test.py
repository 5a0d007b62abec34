# SPDX-License-Identifier: Apache-2.0
"""What the virtual machine's verdicts come to when a guest breaks off: never fewer failures than there were."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vm"))

from guest import Choice  # noqa: E402
from machine import Machine  # noqa: E402


class Told(Machine):
    """A machine whose guest said this, and then nothing more."""

    def __init__(self, *said, error=None):  # pylint: disable=super-init-not-called
        self._said, self._error = said, error

    def messages(self, deadline):
        yield from self._said
        if self._error:
            raise self._error

    def console(self):
        return "panic"

    def outcomes(self):
        return [(verdict.test, verdict.outcome, verdict.reason) for verdict in self.verdicts(1)]


def passed(test):
    return {"test": test, "outcome": "passed", "seconds": 0.1, "reason": "", "log": ""}


class Verdicts(unittest.TestCase):
    def test_a_suite_that_ends_well_is_its_tests(self):
        machine = Told({"suite": "s"}, {"begin": "a"}, passed("a"), {"ended": "exit 0"})
        self.assertEqual(machine.outcomes(), [("a", "passed", "")])

    def test_a_test_that_takes_its_suite_with_it_has_failed(self):
        machine = Told({"suite": "s"}, {"begin": "a"}, passed("a"), {"begin": "b"}, {"ended": "exit -11"},
                       {"suite": "t"}, {"begin": "c"}, passed("c"), {"ended": "exit 0"})
        self.assertEqual(machine.outcomes(), [("a", "passed", ""), ("b", "failed", "exit -11"), ("c", "passed", "")])

    def test_a_suite_without_a_test_or_with_a_bad_end_has_failed(self):
        for said, expected in (([], "exit 0"), ([{"begin": "a"}, passed("a")], "exit 1")):
            machine = Told({"suite": "s"}, *said, {"ended": expected})
            self.assertEqual(machine.outcomes()[-1], ("s", "failed", expected))

    def test_a_guest_that_ends_or_hangs_has_failed_where_it_was(self):
        for said, name in (([], "the boot"), ([{"suite": "s"}], "s"), ([{"suite": "s"}, {"begin": "a"}], "a")):
            for error in (RuntimeError("it ended"), TimeoutError("it hung")):
                machine = Told(*said, error=error)
                self.assertEqual(machine.outcomes(), [(name, "failed", str(error))])


class LeftOut(unittest.TestCase):
    def test_a_test_that_is_left_out_is_told_with_its_reason(self):
        told = []

        class Wire:
            @staticmethod
            def verdict(*words):
                told.append(words)
        choice = Choice(Wire, "runc|docker", [("docker", "why")])
        self.assertEqual([name for name in ("by runc", "by docker", "by lxc") if choice.takes(name)], ["by runc"])
        self.assertEqual(told, [("by docker", "skipped", 0, "why")])


if __name__ == "__main__":
    unittest.main()
