#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzzers for some CPU time each, beginning with the kept corpus; fails when one of them finds something.

What comes of it is in build/fuzz-work: inputs that reach new code in NAME/corpus, those that fail in NAME/findings,
what libFuzzer says in NAME/log. --minimise takes of the former into tests/fuzz/corpus what reaches code that nothing
there does. --record prints the table of all runs since that directory was made.
"""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests" / "fuzz"
WORK = ROOT / "build" / "fuzz-work"
PROGRAMS = ROOT / "build" / "fuzz" / "tests" / "fuzz"
TARGETS = {name: longest for name, longest in
           re.findall(r"^PLIMSOLL_FUZZER\((\w+), (\d+)\)", (FUZZ / "targets.inc").read_text(), re.M)}
# A slow input is a finding, too, and one that asks for much memory.
LIMITS = ["-timeout=30", "-rss_limit_mb=2048", "-malloc_limit_mb=256"]
BEGIN, END = "=== begin", "=== end"


@dataclass
class Run:
    """What libFuzzer printed of one run."""

    executions: int
    coverage: int  # edges of the code that were reached
    features: int  # edges with how often, and comparisons
    new_units: int
    cpu_seconds: float
    ended: bool  # by itself, or by what it found; false: it still runs, or was stopped from outside
    whole: bool  # it ended and found nothing


def last(pattern, text):
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else 0


def runs_of(name):
    log = WORK / name / "log"
    texts = log.read_text(errors="replace").split(f"{BEGIN}\n")[1:] if log.exists() else []
    runs = []
    for text in texts:
        end = re.search(rf"^{END}: code (-?\d+), ([\d.]+) s of CPU time", text, re.M)
        runs.append(Run(last(r"^stat::number_of_executed_units: (\d+)", text) or last(r"^#(\d+)\s", text),
                        last(r"\bcov: (\d+)", text), last(r"\bft: (\d+)", text),
                        last(r"^stat::new_units_added:\s+(\d+)", text),
                        float(end[2]) if end else 0.0, bool(end), bool(end) and end[1] == "0"))
    return runs


def start(name, *arguments, output):
    """The sanitizers' runtimes want a plain address space."""
    options = {"ASAN_OPTIONS": "detect_stack_use_after_return=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    return subprocess.Popen(["setarch", os.uname().machine, "-R", PROGRAMS / f"fuzz_{name}", *map(str, arguments)],
                            env={**os.environ, **options}, stdout=output, stderr=subprocess.STDOUT)


def cpu_seconds(pid):
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]  # utime, stime
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def fuzz(name, seconds):
    work = WORK / name
    for folder in ("corpus", "findings"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    dictionary = FUZZ / "dictionaries" / f"{name}.dict"
    arguments = [f"-max_len={TARGETS[name]}", "-print_final_stats=1", *LIMITS,
                 f"-artifact_prefix={work}/findings/", work / "corpus", FUZZ / "corpus" / name]
    with open(work / "log", "a", encoding="utf-8") as log:
        print(BEGIN, file=log, flush=True)
        process = start(name, *([f"-dict={dictionary}"] if dictionary.exists() else []), *arguments, output=log)
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            if cpu_seconds(process.pid) >= seconds:
                process.send_signal(signal.SIGUSR1)  # libFuzzer says what it did, and ends well
            time.sleep(1)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for
        cpu = usage.ru_utime + usage.ru_stime
        print(f"\n{END}: code {process.returncode}, {cpu:.1f} s of CPU time", file=log)
    return runs_of(name)[-1]


def report(name, run):
    print(f"{name:14} {run.executions:>11} executions  cov {run.coverage:>6}  ft {run.features:>6}  "
          f"{run.new_units:>5} new units  {'ok' if run.whole else 'FAILED'}", flush=True)
    if run.whole:
        return
    print("\n".join((WORK / name / "log").read_text(errors="replace").splitlines()[-60:]))
    for finding in sorted((WORK / name / "findings").iterdir()):
        print(f"{name}: {finding.relative_to(ROOT)}; again: {(PROGRAMS / f'fuzz_{name}').relative_to(ROOT)} "
              f"{finding.relative_to(ROOT)}; when it is fixed, it belongs into tests/fuzz/corpus/{name}")


def minimise(name):
    """By edges alone: how often one is taken would make the kept corpus ten times as large."""
    kept, found = FUZZ / "corpus" / name, WORK / name / "corpus"
    kept.mkdir(exist_ok=True)
    before = set(kept.iterdir())
    with open(WORK / name / "merge.log", "w", encoding="utf-8") as log:
        code = start(name, "-merge=1", "-use_counters=0", "-use_value_profile=0", f"-max_len={TARGETS[name]}", kept,
                     found, output=log).wait()
    after = set(kept.iterdir())
    print(f"{name:14} {len(after - before)} inputs taken over, {len(after)} kept, "
          f"{sum(path.stat().st_size for path in after)} bytes")
    return code == 0


def record(names):
    print("| fuzzer | CPU minutes | executions | edges | features | new inputs | runs with a finding |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in names:
        runs = [run for run in runs_of(name) if run.ended]
        if runs:
            print(f"| {name} | {sum(run.cpu_seconds for run in runs) / 60:.1f} "
                  f"| {sum(run.executions for run in runs):,} | {max(run.coverage for run in runs):,} "
                  f"| {max(run.features for run in runs):,} | {sum(run.new_units for run in runs):,} "
                  f"| {sum(not run.whole for run in runs)} |")


def build():
    quiet = {"cwd": ROOT, "check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(["cmake", "--preset", "fuzz"], **quiet)
    subprocess.run(["cmake", "--build", "--preset", "fuzz"], **quiet)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fuzzers", nargs="*", metavar="NAME", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="of CPU time for each fuzzer; default: 60")
    parser.add_argument("--jobs", type=int, default=1, help="fuzzers at a time; default: 1")
    parser.add_argument("--minimise", action="store_true", help="no run: merge what was found into the kept corpus")
    parser.add_argument("--record", action="store_true", help="no run: the table of what has been run")
    options = parser.parse_args()
    names = options.fuzzers or list(TARGETS)
    if unknown := sorted(set(names) - set(TARGETS)):
        parser.error(f"no fuzzer is called {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if options.seconds < 1 or options.jobs < 1:
        parser.error("--seconds and --jobs are 1 or more")
    if options.record:
        record(names)
        return 0
    if options.minimise:
        return 0 if all([minimise(name) for name in names]) else 1
    build()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, run in zip(names, pool.map(lambda name: fuzz(name, options.seconds), names)):
            report(name, run)
            failed += not run.whole
    print(f"COUNTS: {len(names) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
