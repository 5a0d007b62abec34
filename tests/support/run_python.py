#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs unittest files one test at a time, with durations: run_python.py FILE[:PATTERN]… A pattern chooses tests by their
names. The last line counts, for tests/run.sh."""

import importlib.util
import os
import re
import sys
import time
import traceback
import unittest


class Progress(unittest.TextTestResult):
    def startTest(self, test):
        self._begin = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        self.stream.writeln("    %.1f s" % (time.monotonic() - self._begin))
        super().stopTest(test)

    # The whole story is printed at the end, which whoever looks at a part of the log does not see.
    def addError(self, test, error):
        super().addError(test, error)
        self._say(error)

    def addFailure(self, test, failure):
        super().addFailure(test, failure)
        self._say(failure)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._say(error)

    def _say(self, error):
        for line in traceback.format_exception_only(*error[:2]):
            self.stream.writeln("    | " + line.rstrip("\n").replace("\n", "\n    | "))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln("SKIPPED: %s: %s" % (test.id(), reason))


def load(path):
    folder, name = os.path.split(os.path.abspath(path))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    name = name.removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def each_test(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each_test(test)
        else:
            yield test


def chosen(argument):
    path, _, pattern = argument.partition(":")
    return unittest.TestSuite(test for test in each_test(load(path)) if re.search(pattern, test.id()))


def main(arguments):
    suite = unittest.TestSuite(map(chosen, arguments))
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Progress, verbosity=2)
    result = runner.run(suite)
    skipped = len(result.skipped)
    bad = [test for test, _ in result.failures + result.errors] + result.unexpectedSuccesses
    # A test with several failing subtests fails once.
    failed = len({getattr(test, "test_case", test).id() for test in bad})
    passed = max(0, result.testsRun - failed - skipped)
    print("COUNTS: %d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main(sys.argv[1:]))
