# SPDX-License-Identifier: Apache-2.0
"""One scrape between two looks at what the kernel says, so that the time between look and scrape is no excuse."""

import time

from .cgroup import Cgroup


class Reading:
    """families of one scrape; `truths` are called right before and right after it."""

    def __init__(self, agent, **truths):
        self.before = {name: read() for name, read in truths.items()}
        self.begin = time.monotonic()
        self.families = agent.metrics()
        self.end = time.monotonic()
        self.after = {name: read() for name, read in truths.items()}

    def growth(self, earlier, name):
        """(least, most) that the truth can have grown between the moments of the two scrapes."""
        return self.before[name] - earlier.after[name], self.after[name] - earlier.before[name]

    def wall(self, earlier):
        """(least, most) seconds between the moments of the two scrapes."""
        return self.begin - earlier.end, self.end - earlier.begin

    def delta(self, earlier, family, /, **labels):
        return self.families.value(family, **labels) - earlier.families.value(family, **labels)

    def state_deltas(self, earlier, container_id):
        """{state: seconds}"""
        old = earlier.families.by("state", "container_thread_seconds_total", id=container_id)
        new = self.families.by("state", "container_thread_seconds_total", id=container_id)
        return {state: new[state] - old[state] for state in new}

    def charged_delta(self, earlier, container_id):
        """What the agent says that the kernel charged: running minus stolen, in seconds."""
        return (self.delta(earlier, "container_thread_seconds_total", id=container_id, state="running")
                - self.delta(earlier, "container_cpu_stolen_seconds_total", id=container_id))

    def switches_delta(self, earlier, container_id):
        return sum(self.delta(earlier, "container_context_switches_total", id=container_id, kind=kind)
                   for kind in ("voluntary", "involuntary"))


def residual(families, container_id):
    """|lifetime - Σ states| in seconds."""
    states = families.sum("container_thread_seconds_total", id=container_id)
    return abs(families.value("container_thread_lifetime_seconds_total", id=container_id) - states)


def cpu_seconds(path):
    """A truth for Reading: the CPU time that the kernel charged to the cgroup so far."""
    cgroup = Cgroup(path)
    return lambda: cgroup.cpu_usage_ns() / 1e9


def outside(value, low, high, tolerance):
    """How far the value is out of [low, high] beyond the tolerance; 0 when it is not."""
    return max(0.0, low - tolerance - value, value - high - tolerance)
