# SPDX-License-Identifier: Apache-2.0
"""What the kernel charged to a cgroup over time, read often enough to smooth it by the book."""

import math
import threading
import time

from .slowness import SLOWNESS


class CpuHistory:
    """Reads the cgroup's CPU time every `interval` seconds, from the moment it is made until the end of the block."""

    def __init__(self, cgroup, interval=0.01):
        self.cgroup, self.interval = cgroup, interval
        self.samples = []  # (moment by time.monotonic(), CPU seconds)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self):
        self._read()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def used(self, begin, end):
        """CPU seconds between two moments, as of the last reading before each."""
        return self._at(end) - self._at(begin)

    def staleness(self, threads):
        """How many CPU seconds a reading can lack: what the next ones have more than so many threads can have got.
        The kernel adds a running thread's time at its ticks, and there is none while the hypervisor has the CPU."""
        samples, most, behind = list(self.samples), 0.0, 0.0
        for (before, used_before), (moment, used) in zip(samples, samples[1:]):
            behind = max(0.0, behind + (used - used_before) - threads * (moment - before))
            most = max(most, behind)
        return most

    def average(self, window, earliest, latest, late=0):
        """(least, most) that the average with this time constant was at any moment in between, and at the readings
        right before and after: on a busy machine they can be far apart.

        Whoever else makes that average may have begun up to `late` seconds after this."""
        samples = list(self.samples)
        moments = [moment for moment, _ in samples]
        earliest = max((moment for moment in moments if moment <= earliest), default=earliest)
        latest = min((moment for moment in moments if moment >= latest), default=latest)
        later = [sample for sample in samples if sample[0] >= samples[0][0] + late]
        values = self._averages(samples, window, earliest, latest) + self._averages(later, window, earliest, latest)
        return min(values), max(values)

    @staticmethod
    def _averages(samples, window, earliest, latest):
        start, total, values = samples[0][0], 0.0, []
        for (before, used_before), (moment, used) in zip(samples, samples[1:]):
            kept = math.exp((before - moment) / window)
            total = total * kept + (used - used_before) / (moment - before) * (1 - kept)
            if earliest <= moment <= latest:
                values.append(total / (1 - math.exp((start - moment) / window)))
        return values

    def _read(self):
        """A reading whose moment is known: on a busy machine another may run between the two looks at the clock."""
        while not self._stop.is_set():
            begin, used, end = time.monotonic(), self.cgroup.cpu_usage_ns() / 1e9, time.monotonic()
            if end - begin < 0.001 * SLOWNESS:
                self.samples.append((end, used))
                return

    def _at(self, moment):
        return max((sample for sample in list(self.samples) if sample[0] <= moment), default=(0, 0.0))[1]

    def _follow(self):
        while not self._stop.wait(self.interval):
            self._read()
