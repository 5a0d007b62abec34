# SPDX-License-Identifier: Apache-2.0
"""Each system call of a start, of a scrape and of a container's birth fails in turn. The agent refuses with a sentence, says
what it is without, or does not mind; it does not crash, hang, or show a 0 that is none. What became of them is printed.

A run takes of every fourth kind of call one occurrence, the middle one, and one error in turn; PLIMSOLL_FULL takes up to 12
occurrences of each kind, from the first to the last, with every error."""

import collections
import concurrent.futures
import http.client
import sys
import unittest

from injection import FailingStart, Tracer, fault_arguments, faults, places_in, places_of_a_start, was_injected
from startbed import (FULL, PREFIX, SOON, Born, Busy, Cgroup, ParseError, Start, complaints, down, kernel_failures, normal,
                      refusal_problems, series, settle, time)

MOST, EVERY = (12, 1) if FULL else (1, 4)
TRIES = 60  # scrapes: each of 50 threads may meet the fault once, and its scrape fails
REFUSES, SAYS, UNIMPRESSED = "refuses", "runs with less", "does not mind"


class Verdict:
    """How the agent took one fault."""

    def __init__(self, fault, outcome, problems, said=()):
        self.fault, self.outcome, self.problems, self.said = fault, outcome, problems, said

    def __str__(self):
        return "%s fails with %s at occurrence %d: %s; the log: %s" % (*self.fault, "; ".join(self.problems), list(self.said))


def try_start(fault, usual):
    """Starts an agent one call of which fails; None: the call did not come."""
    with FailingStart(*fault) as start:
        pages, end = [], time.monotonic() + SOON
        while start.ready and len(pages) < TRIES and time.monotonic() < end and sum(page is not None for page in pages) < 2:
            settle()
            pages.append(scrape(start.agent))
        code = start.stop() if start.ready else start.code
        said = start.complaints()
        if not was_injected(start.trace):
            return None
        if not pages:
            return Verdict(fault, REFUSES, refusal_problems(start), said)
        problems = ["it ended with %d" % code] if code else []
        if pages[-1] is None:
            return Verdict(fault, SAYS, ["it does not answer"], said)
        visible = said or None in pages or down(pages[-1]) or kernel_failures(pages[-1])
        if not visible:
            problems += ["0 without a word: " + key for key in usual.zeros(pages)]
            problems += ["missing without a word: " + key for key in usual.gone(pages)]
        return Verdict(fault, SAYS if visible else UNIMPRESSED, problems, said)


class FailingScrape:
    """An agent that is scraped again and again while one call fails; it is started again when a fault ended it."""

    def __init__(self, usual):
        self.usual, self.start = usual, None

    def places(self):
        self.renew()
        tracer = Tracer(self.start.agent.pid, [])
        self.start.agent.page()
        return places_in(tracer.stop())

    def renew(self):
        if self.start is None or self.start.code is not None:
            self.start = Start()
            settle()

    def close(self):
        if self.start:
            self.start.stop()

    def attempt(self, fault):
        self.renew()
        before = self.start.agent.metrics()
        seen = len(self.start.log())
        tracer = Tracer(self.start.agent.pid, fault_arguments(*fault))
        page = scrape(self.start.agent)
        if "(INJECTED)" not in tracer.stop():
            return None
        settle()
        after = scrape(self.start.agent)
        said = complaints(self.start.log()[seen:])
        if self.start.code is not None:
            return Verdict(fault, REFUSES, refusal_problems(self.start), said)
        if after is None:
            return Verdict(fault, SAYS, ["it does not answer any more"], said)
        problems = ["0 afterwards: " + key for key in self.usual.zeros([after])] + fallen(before, after)
        problems += ["missing afterwards: " + family for family in self.usual.missing(after) if not said]
        if page is not None and not said:
            problems += fallen(before, page) + ["0 without a word: " + key for key in self.usual.zeros([page])]
        return Verdict(fault, SAYS if said or page is None else UNIMPRESSED, problems, said)


def scrape(agent):
    """None: it did not succeed, which whoever scrapes sees."""
    try:
        return agent.metrics()
    except ParseError:
        raise
    except (OSError, http.client.HTTPException, RuntimeError):
        return None


def fallen(before, after):
    """Counters that are lower than they were."""
    counters = {name for name, family in after.items() if family.type == "counter"}
    was, now = series(before), series(after)
    return ["%s%s fell from %r to %r" % (key[0], dict(key[1]), was[key], now[key])
            for key in was if key in now and key[0] in counters and now[key] < was[key]]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.busy = Busy()
        cls.addClassCleanup(cls.busy.remove)
        cls.usual = normal(starts=2, scrapes=3)

    def judge(self, tried, verdicts):
        tell(verdicts)
        if any(verdict.problems for verdict in verdicts):
            self.fail("\n".join(["", *(str(verdict) for verdict in verdicts if verdict.problems)]))
        self.assertGreater(len(verdicts), tried / 2, "more than half of the faults did not come to pass")


class AtTheStart(Case):
    def test_whichever_system_call_fails_is_survived_or_told(self):
        places = places_of_a_start()
        wanted = faults(places, MOST, FULL)
        # What is written to maps has no two writes alike: containers get their slots by some of them.
        wanted = wanted[::EVERY] + faults({kind: found for kind, found in places.items() if "BPF_MAP_UPDATE_ELEM" in kind}, 4,
                                          FULL)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda fault: try_start(fault, self.usual), wanted))
        self.judge(len(wanted), [verdict for verdict in found if verdict])


class AtAScrape(Case):
    def test_whichever_system_call_fails_is_survived_or_told(self):
        attempts = FailingScrape(self.usual)
        self.addCleanup(attempts.close)
        wanted = faults(attempts.places(), MOST, FULL)[::EVERY]
        found = [attempts.attempt(fault) for fault in wanted]
        self.judge(len(wanted), [verdict for verdict in found if verdict])


class AtABirth(Case):
    def test_a_newborn_containers_account_is_exact_or_the_failure_is_told(self):
        with Start() as start:
            tracer = Tracer(start.agent.pid, [])
            self.live(start, "traced")
            places = {kind: found for kind, found in places_in(tracer.stop()).items() if "bpf" in kind}
            wanted = faults(places, MOST, FULL)
            verdicts = [self.attempt(start, fault, turn) for turn, fault in enumerate(wanted)]
        self.judge(len(wanted), [verdict for verdict in verdicts if verdict])

    def attempt(self, start, fault, turn):
        known, seen = kernel_failures(start.agent.metrics()), len(start.log())
        tracer = Tracer(start.agent.pid, fault_arguments(*fault))
        life, seconds, page = self.live(start, "born-%d" % turn)
        if "(INJECTED)" not in tracer.stop():
            return None
        said = page is None or complaints(start.log()[seen:]) or kernel_failures(page) != known
        exact = seconds is not None and life.inside <= seconds <= life.outside
        problems = [] if exact or said else ["%r instead of %g to %g s" % (seconds, life.inside, life.outside)]
        life, seconds, page = self.live(start, "next-%d" % turn)
        if seconds is None or not life.inside <= seconds <= life.outside:
            problems.append("the next container: %r instead of %g to %g s" % (seconds, life.inside, life.outside))
        return Verdict(fault, SAYS if said else UNIMPRESSED, problems)

    def live(self, start, name):
        """A container that lives for 20 ms; its Life, what the agent says, and the page."""
        with Cgroup("%s/%s" % (PREFIX, name)) as cgroup:
            life = Born(cgroup, lambda: time.sleep(0.02)).wait()
            page = scrape(start.agent)
        found = page.samples("container_thread_lifetime_seconds_total", id=cgroup.path) if page else []
        return life, found[0].value if found else None, page


def tell(verdicts):
    """A table: what became of the failures of each call."""
    rows = collections.defaultdict(collections.Counter)
    for verdict in verdicts:
        rows[verdict.fault[0]][verdict.outcome] += 1
    print("| call | failures | refuses | runs with less | does not mind |\n|---|---|---|---|---|")
    for call, outcomes in sorted(rows.items()):
        print("| `%s` | %d | %s |" % (call, outcomes.total(), " | ".join(str(outcomes[outcome] or "–") for outcome in
                                                                         (REFUSES, SAYS, UNIMPRESSED))))


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main()
