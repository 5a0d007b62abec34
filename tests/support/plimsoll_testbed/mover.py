# SPDX-License-Identifier: Apache-2.0
"""Moves processes to and fro between two cgroups, whole and while they do what they do."""

import os
import random
import threading

BATCH = 10  # the first move after a pause waits for the kernel's grace period, those right behind it do not


class Mover:
    """A thread that moves processes picked at random; only in the hierarchy that tells containers."""

    def __init__(self, one, two, per_second=50, seed=1):
        self._files = [cgroup.identity() + "/cgroup.procs" for cgroup in (one, two)]
        self._pause = BATCH / per_second
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.moves = 0
        self.moves_with_threads = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        while not self._stopping.wait(self._pause):
            choice = [(pid, target) for source, target in (self._files, reversed(self._files))
                      for pid in self._pids(source)]
            for pid, target in self._random.sample(choice, min(BATCH, len(choice))):
                self._move(pid, target)

    @staticmethod
    def _pids(source):
        with open(source, encoding="utf-8") as file:
            return file.read().split()

    def _move(self, pid, target):
        try:
            threads = len(os.listdir("/proc/%s/task" % pid))
            with open(target, "w", encoding="utf-8") as file:
                file.write(pid)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            return
        self.moves += 1
        self.moves_with_threads += threads > 1
