# SPDX-License-Identifier: Apache-2.0
"""Runs inside the virtual machine: the suites that job.json lists, each test's verdict as a line of JSON to the second
serial port. What happens between the verdicts is told from outside (machine.py)."""

import json
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SLOWNESS = "20"  # roughly, for the tests: see tests/support/plimsoll_testbed/slowness.py
FACTS = "/run/plimsoll-facts"
LOG_END = 12000  # characters of a failed test's log


class Wire:
    """The serial port. One line is one message; the last one is {"done": true}."""

    def __init__(self):
        self._port = os.open("/dev/ttyS1", os.O_WRONLY | os.O_NOCTTY)

    def send(self, **message):
        line = (json.dumps(message) + "\n").encode()
        while line:
            line = line[os.write(self._port, line):]

    def verdict(self, test, outcome, seconds=0.0, reason="", log=""):
        self.send(test=test, outcome=outcome, seconds=round(seconds, 1), reason=reason, log=log[-LOG_END:])


class Choice:
    """The tests of a suite that match the pattern, but for those that the rules leave out with a reason."""

    def __init__(self, wire, pattern, rules):
        self._wire, self._pattern, self._rules = wire, pattern, rules
        self.matched = False

    def takes(self, test):
        if not re.search(self._pattern, test):
            return False
        self.matched = True
        reason = next((reason for pattern, reason in self._rules if re.search(pattern, test)), None)
        if reason:
            self._wire.verdict(test, "skipped", 0, reason)
        return not reason


class Result(unittest.TestResult):
    """Says each verdict when its test ends; a test's subtests are one test, as for run_python.py."""

    def __init__(self, wire):
        super().__init__()
        self.buffer = True
        self._wire = wire

    def startTest(self, test):
        super().startTest(test)
        self._begin, self._problems, self._skip = time.monotonic(), [], None
        self._wire.send(begin=test.id())

    def stopTest(self, test):
        outcome = "failed" if self._problems else "skipped" if self._skip else "passed"
        self._wire.verdict(test.id(), outcome, time.monotonic() - self._begin, self._skip or "",
                           "\n".join(self._problems))
        super().stopTest(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._problem(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self._problem(test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._problem(test, "%s\n%s" % (subtest.id(), self._exc_info_to_string(err, test)))

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._problem(test, "unexpected success")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if isinstance(test, unittest.TestCase):
            self._skip = reason
        else:  # setUpClass or its like did it
            self._wire.verdict(test.id(), "skipped", 0, reason)

    def _problem(self, test, text):
        if isinstance(test, unittest.TestCase):
            self._problems.append(text)
        else:
            self._wire.verdict(test.id(), "failed", 0, "", text)


def run_python(wire, choice, path):
    """The tests of one file."""
    sys.path.insert(0, ROOT + "/tests/support")
    from run_python import each_test, load  # pylint: disable=import-outside-toplevel
    chosen = unittest.TestSuite()
    chosen.addTests(test for test in each_test(load(path)) if choice.takes(test.id()))
    chosen.run(Result(wire))


def run_catch(wire, choice, binary):
    """Each test in a process of its own: one that crashes takes no other with it."""
    listed = subprocess.run([binary, "--list-test-names-only"], capture_output=True, text=True, check=False).stdout
    for name in filter(choice.takes, filter(None, listed.splitlines())):
        wire.send(begin=name)
        begin = time.monotonic()
        done = subprocess.run([binary, re.sub(r"([\\,\[\]])", r"\\\1", name)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        skip = re.search(r"^SKIPPED: (.*)", done.stdout, re.MULTILINE)
        outcome = "failed" if done.returncode else "skipped" if skip else "passed"
        wire.verdict(name, outcome, time.monotonic() - begin, skip.group(1) if skip else "", done.stdout)


def run_suite(name, job):
    """In a process of its own."""
    os.environ.update(PLIMSOLL_SLOWNESS=SLOWNESS, PLIMSOLL_FACTS=FACTS)
    name, _, pattern = name.partition(":")
    wire = Wire()
    choice = Choice(wire, pattern, job["left_out"])
    if name == "bpf":
        run_catch(wire, choice, ROOT + "/build/release/tests/bpf_tests")
    else:
        run_python(wire, choice, "%s/tests/%s.py" % (ROOT, name))
    if not choice.matched:
        wire.verdict("%s:%s" % (name, pattern), "failed", 0, "", "no test has such a name")


def send_facts(wire):
    sys.path.insert(0, ROOT + "/tests/support")
    from plimsoll_testbed.facts import place  # pylint: disable=import-outside-toplevel
    if os.path.exists(FACTS):
        with open(FACTS, encoding="utf-8") as lines:
            wire.send(place=place(), facts=[json.loads(line) for line in lines])


def main():
    with open(ROOT + "/job.json", encoding="utf-8") as file:
        job = json.load(file)
    if len(sys.argv) > 1:
        run_suite(sys.argv[1], job)
        return
    wire = Wire()
    subprocess.run(["stty", "-F", "/dev/ttyS1", "raw", "-echo"], check=True)
    wire.send(kernel=os.uname().release, up=time.clock_gettime(time.CLOCK_BOOTTIME))
    for name in job["suites"]:
        wire.send(suite=name)
        child = subprocess.Popen([sys.executable, "-u", __file__, name], start_new_session=True)
        try:
            ended = "exit %d" % child.wait(job["limit"])
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            ended = "not finished after %d s" % job["limit"]
        wire.send(ended=ended)
    send_facts(wire)
    wire.send(done=True)


if __name__ == "__main__":
    main()
