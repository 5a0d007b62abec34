#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots other kernels with systemd in emulation, and runs suites inside: run.py [--help]. The last line counts, for
tests/run.sh."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import image
import suites
from machine import Machine, Verdict

sys.path.insert(0, image.ROOT + "/tests/support")
import kernel_support  # pylint: disable=wrong-import-position

BUILD = image.ROOT + "/build/release"
BINARIES = (BUILD + "/plimsoll", BUILD + "/tests/bpf_tests")


def payload(directory, job):
    """A tar with what the guest needs of the checkout, for a disk."""
    names = ["build/release/plimsoll", "build/release/tests/bpf_tests", "build/release/workloads", "config", "deploy", "docs",
             "tests/e2e", "tests/faults", "tests/support", "tests/vm"]
    with open(directory + "/job.json", "w", encoding="utf-8") as file:
        json.dump(job, file)
    path = directory + "/payload.tar"
    subprocess.run(["tar", "-cf", path, "--exclude=__pycache__", "-C", directory, "job.json", "-C", image.ROOT, *names],
                   check=True)
    return path


class Counts:
    def __init__(self):
        self.of = {"passed": 0, "failed": 0, "skipped": 0}

    def add(self, kernel, verdict):
        self.of[verdict.outcome] += 1
        print("%-7s %s %s (%.1f s)" % (verdict.outcome, kernel, verdict.test, verdict.seconds))
        if verdict.outcome == "skipped":
            print("SKIPPED: vm %s: %s: %s" % (kernel, verdict.test, verdict.reason))
        if verdict.outcome == "failed":
            print("".join("    | %s\n" % line for line in [verdict.reason, *verdict.log.splitlines()] if line))


def boot(name, job, images, counts, limit):
    """One boot with all its suites, within so many seconds; what its tests found out about the kernel, as (place, facts)."""
    begin = time.monotonic()
    kernel, words = suites.BOOTS[name]
    with tempfile.TemporaryDirectory(prefix="plimsoll-vm-") as directory, \
            Machine(images, kernel, words, payload(directory, job)) as machine:
        for verdict in machine.verdicts(limit):
            if isinstance(verdict, Verdict):
                counts.add(name, verdict)
            else:
                print(verdict)
    print("%s: %.0f s from start to power-off" % (name, time.monotonic() - begin))
    return machine.place, machine.facts


def in_turn():
    """Which boot is due, and why: the parity of the number of commits."""
    done = subprocess.run(["git", "-C", image.ROOT, "rev-list", "--count", "HEAD"], capture_output=True, text=True,
                          check=False)
    commits = int(done.stdout or 0)
    return suites.IN_TURN[commits % 2], "%d commits; --full or PLIMSOLL_VM_KERNEL for another" % commits


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="every boot, and the suites that take longer")
    parser.add_argument("--kernel", choices=suites.BOOTS, default=os.environ.get("PLIMSOLL_VM_KERNEL") or None)
    parser.add_argument("--record", action="store_true", help="write down what the kernels can do, for docs/kernel-support.md")
    parser.add_argument("suite", nargs="*",
                        help="bpf, e2e/test_smoke, e2e/test_dropin:PATTERN, …; default: those of tests/vm/suites.py")
    return parser.parse_args()


def main():
    wanted = arguments()
    if os.uname().machine != "x86_64":
        print("SKIPPED: vm: the kernels are amd64's\nCOUNTS: 0 passed, 0 failed, 1 skipped")
        return 0
    if wanted.kernel:
        boots, why = [wanted.kernel], "as asked for"
    elif wanted.full:
        boots, why = list(suites.BOOTS), "all"
    else:
        boot_due, why = in_turn()
        boots = [boot_due]
    images = image.prepare(BINARIES)
    print("boots: %s (%s)" % (" ".join(boots), why))
    job = {"suites": wanted.suite or suites.chosen(wanted.full), "left_out": suites.LEFT_OUT,
           "limit": suites.SUITE_LIMIT}
    counts = Counts()
    for name in boots:
        place, facts = boot(name, job, images, counts, suites.boot_limit(wanted.full))
        if wanted.record and place:
            kernel_support.record(place, facts)
    print("COUNTS: %(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts.of)
    return 1 if counts.of["failed"] or not counts.of["passed"] else 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that the machine ends, too
    sys.exit(main())
