# SPDX-License-Identifier: Apache-2.0
"""What the tests of faults at the start share: a container that is never idle, an agent that may fail to start, and the
judgement of how it took a fault."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

# pylint: disable=wrong-import-position
from plimsoll_testbed import *  # noqa: E402,F401,F403
from plimsoll_testbed import BINARY, SLOWNESS, Agent, Cgroup, Daemon, binary, defer, parse, run, wait_until, workdir  # noqa: E402

FULL = bool(os.environ.get("PLIMSOLL_FULL"))
PREFIX = "/plimsoll-fault"
CONFIG = {"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/*"}]}, "log": {"level": "info"}}
SOON = 30 * SLOWNESS  # seconds: whoever takes longer hangs; a start takes one, under strace two
REFUSED, USAGE = 1, 2
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Of itself 0 at one moment and not at the next, told by itself, or by what others on the machine do: what nobody can expect not
# to be 0.
FLEETING = re.compile(r"plimsoll_(scrape_|probe_sample|probe_up|kernel_failures|events_total)|container_block_in_flight"
                      r"|container_thread_states|container_tasks_state|container_tcp_connections$|container_cpu_(migrations|stolen|wait)|_bucket$"
                      r"|container_memory_(file_|total_)|container_pressure|_peak$|plimsoll_program_misses|container_block_merges"
                      r"|container_fs_reads")

# What a thread comes into by chance: by others' load, or when it is quick enough to find what it would have waited for.
CHANCE_STATES = {"runnable", "fault", "blocked", "other", "unix", "pipe", "poll", "stopped"}


def by_chance(sample):
    """Whether it is others' load, too, that moves it: they take CPUs away and pages out of the cache."""
    return (sample.labels.get("state") in CHANCE_STATES or sample.labels.get("kind") == "involuntary"
            or sample.labels.get("peer") == "unattributed"  # a wait that a page came upon
            or sample.name.startswith("container_block_") and sample.labels.get("direction") == "read")


class Busy:
    """A container whose process does a little of everything all the time, so that no family of it stays 0."""

    current = None  # whose rounds settle() waits for

    def __init__(self, name="busy", user=None):
        Busy.current = self
        self.cgroup = Cgroup("%s/%s" % (PREFIX, name)).create()
        self.directory = workdir()
        os.chmod(self.directory, 0o777)
        drop = ["setpriv", "--reuid=%d" % user, "--regid=%d" % user, "--clear-groups"] if user else []
        self.process = self.cgroup.spawn([*drop, "python3", HERE + "/busy.py", self.directory])
        self._undo = defer(self.remove)

    @property
    def id(self):
        return self.cgroup.path

    def rounds(self):
        """How often it has done everything."""
        try:
            with open(self.directory + "/rounds", encoding="utf-8") as file:
                return int(file.read() or 0)
        except FileNotFoundError:
            return 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        Busy.current = None
        self._undo.cancel()
        self.cgroup.remove()
        self.process.wait()


class Start:
    """One attempt to start an agent: it is ready, or it has ended, when the constructor returns. A context."""

    def __init__(self, wrapper=(), config=None, patience=SOON, **options):
        began = time.monotonic()
        self.agent = Agent({**CONFIG, **(config or {})}, ready=False, wrapper=wrapper, **options)
        self.hangs = False
        while self.agent.daemon.running() and not self.agent._answers("/readyz"):
            if time.monotonic() - began > patience:
                self.hangs = True
                break
            time.sleep(0.02)
        self.took = time.monotonic() - began
        self.ready = self.agent.daemon.running() and not self.hangs

    @property
    def code(self):
        """How it ended; negative: by a signal. None: it runs."""
        return self.agent.daemon.process.poll()

    def log(self):
        return self.agent.log()

    def complaints(self):
        return complaints(self.log())

    def stop(self):
        return self.agent.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.agent.stop()


def complaints(log):
    """What the log says at the levels that somebody looks at, without times. What is printed before there is a log counts."""
    lines = [line for line in log.splitlines() if line and not re.search(r"\b(info|debug): ", line)]
    return [re.sub(r"^[\d-]+ [\d:.]+ (error|warning): ", "", line) for line in lines]


def refusal_problems(start):
    """Sentences: why this is not a refusal as it should be. None: it is."""
    said = start.complaints()
    if start.hangs:
        return ["it hangs"]
    if start.code is None:
        return ["it runs"]
    problems = [] if start.code in (REFUSED, USAGE) else ["it ended with %d" % start.code]
    if not said or len(said[-1].split()) < 3:
        problems.append("it did not say why: %r" % said)
    if re.search(r"terminate called|std::|basic_string|what\(\)|assert|panic", "\n".join(said)):
        problems.append("what it said is no sentence for a user: %r" % said)
    return problems


def series(families):
    """{(name, labels): value} of all that a page holds, but what is different each time anyway."""
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families.values() for sample in family.samples
            if not FLEETING.search(sample.name) and not by_chance(sample)}


class Normal:
    """What pages hold when nothing is wrong: the series that never were 0."""

    def __init__(self, pages):
        pages = [series(page) for page in pages]
        self.never_zero = {key for key in pages[0] if all(page.get(key) for page in pages)}
        self.families = {name for name, _ in self.never_zero}

    def zeros(self, pages):
        """Series that are 0 on all of these pages, and never otherwise."""
        found = [series(page) for page in pages]
        return sorted("%s%s" % (name, dict(labels)) for name, labels in self.never_zero
                      if found and all(page.get((name, labels)) == 0 for page in found))

    def gone(self, pages):
        """The busy container's series that are on none of these pages."""
        there = set().union(*(series(page) for page in pages))
        return sorted("%s%s" % (name, dict(labels)) for name, labels in self.never_zero - there
                      if dict(labels).get("id", "").startswith(PREFIX))

    def missing(self, page):
        """Families of which nothing is here."""
        return sorted(self.families - {name for name, _ in series(page)})


def down(page):
    """The probes that say of themselves that they do not run."""
    return sorted(probe for probe, up in page.by("probe", "plimsoll_probe_up").items() if not up)


def probe_of_families():
    """{family: probe}, as the catalogue has it."""
    lines = run([BINARY, "metrics"]).stdout.splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| `")]
    return {row[1].strip("`"): row[-2] for row in cells}


def normal(starts=2, scrapes=3, wrapper=()):
    """Pages of agents without any fault; the first scrape of each comes as soon as a test's would."""
    pages = []
    for _ in range(starts):
        with Start(wrapper) as start:
            for _ in range(scrapes):
                settle()
                pages.append(start.agent.metrics())
    return Normal(pages)


def settle():
    """The busy container goes through some of its rounds. Nothing tells when a counter of the agent's is above 0."""
    busy = Busy.current
    before = busy.rounds() if busy else 0
    time.sleep(0.4 * SLOWNESS)
    if busy:  # its disk may have kept it waiting
        wait_until(lambda: busy.rounds() >= before + 3, 30, "rounds of the busy container")
