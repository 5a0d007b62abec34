# SPDX-License-Identifier: Apache-2.0
"""Comparing the agent's ledger with what a workload knows about itself."""

import time

from .slowness import SLOWNESS

FREE_STATES = ("running", "runnable")  # what the machine's load makes of it


def thread_seconds(families, container):
    """{state: seconds} of a container."""
    return families.by("state", "container_thread_seconds_total", id=container.cgroup_path)


KINDS = {"socket": ("kind", "container_socket_wait_seconds_total"),
         "unix": ("direction", "container_unix_wait_seconds_total"),
         "pipe": ("direction", "container_pipe_wait_seconds_total")}


def wait_kinds(families, container):
    """{(state, kind): seconds} of a container."""
    return {(state, kind): value for state, (label, family) in KINDS.items()
            for kind, value in families.by(label, family, id=container.cgroup_path).items()}


def completed_waits(families, container):
    """{state: (number, seconds)} of a container."""
    counts, sums = (families.by("state", "container_wait_seconds_" + part, id=container.cgroup_path)
                    for part in ("count", "sum"))
    return {state: (counts[state], sums[state]) for state in counts}


def ids(families):
    """The containers on the page."""
    return set(families.by("id", "container_threads"))


# {place: how many}. Seen by the kernel programs and made up for: a sandbox that runs no program in its own init's context hides
# arrivals; and who interrupts a program on the same CPU that makes a thread's record cannot make one, but the next visit does.
MADE_UP_FOR = {"switch_in_unseen": float("inf"), "task_storage_full": 3}


def kernel_failures(families):
    """{(probe, place): count} of what failed in the kernel programs and cost something."""
    return {(sample.labels["probe"], sample.labels["place"]): sample.value
            for sample in families.samples("plimsoll_kernel_failures_total")
            if sample.value > MADE_UP_FOR.get(sample.labels["place"], 0)}


class Measurement:
    """One known wait between two scrapes: what was expected and what the ledger says."""

    def __init__(self, truth, pages, container, gate, gate_seconds):
        self.truth = truth
        before, after = (thread_seconds(page, container) for page in pages)
        self.delta = {state: after[state] - before[state] for state in after}
        before, after = (wait_kinds(page, container) for page in pages)
        self.kinds = {kind: after[kind] - before[kind] for kind in after}
        before, after = (completed_waits(page, container) for page in pages)
        self.waits = {state: tuple(last - first for first, last in zip(before.get(state, (0, 0)), after[state]))
                      for state in after}
        self.stolen = sum(sign * page.value("container_cpu_stolen_seconds_total", id=container.cgroup_path)
                          for sign, page in zip((-1, 1), pages))
        self.expected = {state: ns / 1e9 for state, ns in truth.states().items()}
        self.possible = {state: ns / 1e9 for state, ns in truth.at_most().items()}
        self.gate, self.gate_seconds = gate, gate_seconds

    def problems(self, relative=0.01, absolute=0.002 * SLOWNESS):
        """Sentences, none if all is well.

        A thread that was woken waits for a CPU before it can look at the clock: that much may be missing. So may what
        interrupts and the hypervisor took from it: a thread's CPU time is without that, and what it takes for waiting is not.
        """
        found = []
        for state, seconds in self.expected.items():
            allowed = max(relative * seconds, absolute)
            measured = self.delta.get(state, 0)
            missing = self.delta.get("runnable", 0) + self.stolen
            if not seconds - allowed - missing <= measured <= seconds + allowed:
                found.append("%s: %s is %.4f s, expected %.4f s" % (self.truth.kind, state, measured, seconds))
        for state, seconds in self.delta.items():
            if seconds < 0:
                found.append("%s: %s went back by %.9f s" % (self.truth.kind, state, -seconds))
            free = state in self.expected or state in FREE_STATES or state == self.gate
            if not free and seconds > absolute + self.possible.get(state, 0):
                found.append("%s: %.4f s of %s do not belong" % (self.truth.kind, seconds, state))
        return found


    def kind_problems(self, absolute=0.002 * SLOWNESS):
        """Sentences about what is said beyond the states: the kinds of waiting, and how long completed waits took."""
        found = []
        for state in KINDS:
            parts = sum(seconds for kind, seconds in self.kinds.items() if kind[0] == state)
            if abs(parts - self.delta[state]) > 1e-6:
                found.append("%s: %s is %.9f s, its kinds %.9f s" % (self.truth.kind, state, self.delta[state], parts))
        for kind in self.truth.kinds():
            if abs(self.kinds[kind] - self.delta[kind[0]]) > absolute:
                found.append("%s: %s %s is %.4f s of %.4f s" % (self.truth.kind, *kind, self.kinds[kind],
                                                                self.delta[kind[0]]))
        for state in self.expected:
            if state in self.waits and state != self.gate:
                number, seconds = self.waits[state]
                if number < 1 or abs(seconds - self.delta[state]) > absolute:
                    found.append("%s: %d waits of %s took %.4f s, not %.4f s" % (self.truth.kind, number, state, seconds,
                                                                                self.delta[state]))
        return found


def measure(agent, waiter, kind, seconds):
    """Lets the waiter do one known wait between two scrapes; a Measurement, or a Truth with .error."""
    gate = "poll" if "pipe" in kind else "pipe"
    waiter.gate({"pipe": "pipe_read"}.get(gate, gate))
    time.sleep(0.01)  # it writes a file and goes back to its gate: not observable from outside
    start = time.monotonic()
    before = agent.metrics()
    truth = waiter.do(kind, seconds)
    after = agent.metrics()
    total = time.monotonic() - start
    if truth.error:
        return truth
    return Measurement(truth, (before, after), waiter.container, gate, total - (truth.raw["end_ns"] - truth.raw["begin_ns"]) / 1e9)
