# SPDX-License-Identifier: Apache-2.0
"""Comparing the agent's ledger with what a workload knows about itself."""

import time

from .slowness import SLOWNESS

FREE_STATES = ("running", "runnable")  # what the machine's load makes of it


def thread_seconds(families, container):
    """{state: seconds} of a container."""
    return families.by("state", "container_thread_seconds_total", id=container.cgroup_path)


def ids(families):
    """The containers on the page."""
    return set(families.by("id", "container_threads"))


# Seen by the kernel programs and made up for: a sandbox that runs no program in its own init's context hides arrivals.
MADE_UP_FOR = ("switch_in_unseen",)


def kernel_failures(families):
    """{(probe, place): count} of what failed in the kernel programs and cost something."""
    return {(sample.labels["probe"], sample.labels["place"]): sample.value
            for sample in families.samples("plimsoll_kernel_failures_total")
            if sample.value and sample.labels["place"] not in MADE_UP_FOR}


class Measurement:
    """One known wait between two scrapes: what was expected and what the ledger says."""

    def __init__(self, truth, before, after, gate, gate_seconds):
        self.truth = truth
        self.delta = {state: after[state] - before[state] for state in after}
        self.expected = {state: ns / 1e9 for state, ns in truth.states().items()}
        self.gate, self.gate_seconds = gate, gate_seconds

    def problems(self, relative=0.01, absolute=0.002 * SLOWNESS):
        """Sentences, none if all is well.

        A thread that was woken waits for a CPU before it can look at the clock: that much may be missing.
        """
        found = []
        for state, seconds in self.expected.items():
            allowed = max(relative * seconds, absolute)
            measured = self.delta.get(state, 0)
            if not seconds - allowed - self.delta.get("runnable", 0) <= measured <= seconds + allowed:
                found.append("%s: %s is %.4f s, expected %.4f s" % (self.truth.kind, state, measured, seconds))
        for state, seconds in self.delta.items():
            if seconds < 0:
                found.append("%s: %s went back by %.9f s" % (self.truth.kind, state, -seconds))
            if state not in self.expected and state not in FREE_STATES and state != self.gate and seconds > absolute:
                found.append("%s: %.4f s of %s do not belong" % (self.truth.kind, seconds, state))
        return found


def measure(agent, waiter, kind, seconds):
    """Lets the waiter do one known wait between two scrapes; a Measurement, or a Truth with .error."""
    gate = "poll" if "pipe" in kind else "pipe"
    waiter.gate({"pipe": "pipe_read"}.get(gate, gate))
    time.sleep(0.01)  # it writes a file and goes back to its gate: not observable from outside
    start = time.monotonic()
    before = thread_seconds(agent.metrics(), waiter.container)
    truth = waiter.do(kind, seconds)
    after = thread_seconds(agent.metrics(), waiter.container)
    total = time.monotonic() - start
    if truth.error:
        return truth
    return Measurement(truth, before, after, gate, total - (truth.raw["end_ns"] - truth.raw["begin_ns"]) / 1e9)
