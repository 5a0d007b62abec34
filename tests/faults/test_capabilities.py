# SPDX-License-Identifier: Apache-2.0
"""A capability is missing: a clear refusal, or an agent that says which of its probes do not run, and never a 0 that is not
true. `python3 tests/faults/test_capabilities.py --table` prints the table of docs/reliability.md from what it sees."""

import re
import sys
import unittest

from startbed import (FULL, ROOT, Busy, Normal, Start, down, probe_of_families, refusal_problems, run, settle, unified)

PAGE = ROOT + "/docs/reliability.md"
NOBODY = 65534


def service_capabilities():
    with open(ROOT + "/deploy/systemd/plimsoll.service", encoding="utf-8") as unit:
        names = re.search(r"(?m)^AmbientCapabilities=(.*)", unit.read()).group(1).split()
    return [name.removeprefix("CAP_").lower() for name in names]


def root_capabilities():
    """Those that root has here."""
    text = run(["setpriv", "--dump"]).stdout
    return re.search(r"(?m)^Capability bounding set: (.*)", text).group(1).split(",")


# A start takes a second or two: the others of root's are tried with PLIMSOLL_FULL.
USUAL = ["bpf", "dac_override", "dac_read_search", "net_admin", "sys_admin", "sys_ptrace"]
NOTHING_MISSING = "runs, nothing is missing"


def as_service(without=None):
    """As the unit starts it: a user who is not root, with capabilities that are passed on."""
    kept = "".join(",+" + name for name in service_capabilities() if name != without)
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--inh-caps=-all" + kept,
            "--ambient-caps=-all" + kept, "--bounding-set=-all" + kept, "--no-new-privs"]


def as_root(without=None):
    return ["setpriv", "--bounding-set=-" + without] if without else []


class Observation:
    """What became of an agent that somebody started with less."""

    def __init__(self, wrapper, probes_of):
        with Start(wrapper, config={"probes": {"descriptors": {"enabled": True}, "io": {"enabled": True}}}) as start:
            self.took, self.ready, self.refusal = start.took, start.ready, None
            self.code, self.pages = start.code, []
            for _ in range(3 if start.ready else 0):
                settle()
                self.pages.append(start.agent.metrics())
            self.said = start.complaints()
            self.refusal_problems = [] if start.ready else refusal_problems(start)
        self.down = down(self.pages[-1]) if self.ready else []
        self.probes_of = probes_of

    def sentence(self):
        """For the table."""
        if not self.ready:
            return "refuses: “%s”" % self.said[-1]
        if not self.down:
            return NOTHING_MISSING
        return "runs without %s" % ", ".join("`%s`" % name for name in self.down)

    def problems(self, normal):
        """Sentences: what is wrong with how it took it."""
        if not self.ready:
            return self.refusal_problems
        found = ["0 without a reason: " + key for key in normal.zeros(self.pages)]
        for name in self.down:
            if not any(line.startswith("probe %s: " % name) for line in self.said):
                found.append("probe %s is down and the log does not say why" % name)
        for family in normal.missing(self.pages[-1]):
            if self.probes_of.get(family) not in self.down:
                found.append("%s is missing and its probe, %s, is up" % (family, self.probes_of.get(family)))
        return found


class Capabilities(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        unified()  # probe traffic is without it
        cls.busy = Busy(user=NOBODY - 1)
        cls.addClassCleanup(cls.busy.remove)
        cls.probes_of = probe_of_families()

    def observe(self, wrapper):
        return Observation(wrapper, self.probes_of)

    def check(self, who, names):
        whole = self.observe(who())
        self.assertEqual((whole.ready, whole.down, whole.said), (True, [], []))
        normal = Normal(whole.pages)
        documented = documented_rows()[WHO[who]]
        for name in names:
            with self.subTest(name):
                seen = self.observe(who(name))
                self.assertEqual(seen.problems(normal), [])
                silent = None if name in USUAL or who is as_service else NOTHING_MISSING  # one sentence is for all others
                self.assertEqual(documented.get(name, silent), seen.sentence(), PAGE)

    def test_each_that_the_service_has(self):
        self.check(as_service, service_capabilities())

    def test_each_that_root_has(self):
        there = root_capabilities()
        self.check(as_root, there if FULL else [name for name in USUAL if name in there])


WHO = {as_service: "the service", as_root: "root"}


def documented_rows():
    """{who: {capability: what it does}}"""
    rows = {who: {} for who in WHO.values()}
    with open(PAGE, encoding="utf-8") as page:
        for line in page:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if len(cells) == 3 and cells[0] in rows:
                rows[cells[0]].update((name.lower(), cells[2]) for name in re.findall(r"`CAP_(\w+)`", cells[1]))
    return rows


def print_table():
    """A row for each, but one for all that change nothing."""
    print("| who | without | what the agent does |\n|---|---|---|")
    with Busy(user=NOBODY - 1):
        for who, names in ((as_service, service_capabilities()), (as_root, root_capabilities())):
            rows = {}
            for name in names:
                rows.setdefault(Observation(who(name), {}).sentence(), []).append("`CAP_%s`" % name.upper())
            for sentence, without in rows.items():
                print("| %s | %s | %s |" % (WHO[who], ", ".join(without), sentence), flush=True)


if __name__ == "__main__":
    if "--table" in sys.argv:
        print_table()
    else:
        unittest.main()
