# SPDX-License-Identifier: Apache-2.0
"""What the tests of load and of hostile hands share, beside all of the test bed: `from under_load import …`."""

import os
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

# pylint: disable=wrong-import-position
from plimsoll_testbed import *  # noqa: E402,F401,F403
from plimsoll_testbed import SLOWNESS, Cgroup, defer, parse  # noqa: E402

FULL = os.environ.get("PLIMSOLL_FULL") == "1"
_TICKS = os.sysconf("SC_CLK_TCK")


def count(full, otherwise):
    """How many of something: less in every run than in a full one, of the very same test."""
    return full if FULL else otherwise


def cpu_of(pid):
    """CPU seconds of a process so far, from its own file."""
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid):
    """(now, the most that there ever was)"""
    with open("/proc/%d/status" % pid, encoding="utf-8") as status:
        fields = dict(line.split(":", 1) for line in status)
    return tuple(int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


def some_of(agent, *names):
    """These families of a page: to parse all of a large one takes seconds."""
    wanted = tuple(prefix + name for name in names for prefix in ("", "# HELP ", "# TYPE "))
    return parse("".join(line + "\n" for line in agent.page().split("\n") if line.startswith(wanted)))


def has_children(number, then=lambda: time.sleep(1000)):
    """What a process does: so many children, one after another, then that."""
    def run():
        for _ in range(number):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        return then()
    return run


class Crowd:
    """Many cgroups right below one, only in the hierarchy that tells containers; none is left after the test."""

    def __init__(self, cgroup):
        self.cgroup = cgroup.create()
        self._directory = os.fsencode(cgroup.identity()) + b"/"
        self.names = []
        self._undo = defer(self.remove)

    def add(self, name):
        """name: text, with surrogate escapes for what is none. Its path."""
        os.mkdir(self._directory + os.fsencode(name))
        self.names.append(name)
        return "%s/%s" % (self.cgroup.path, name)

    def remove_one(self, name):
        os.rmdir(self._directory + os.fsencode(name))
        self.names.remove(name)

    def remove(self):
        while self.names:
            try:
                os.rmdir(self._directory + os.fsencode(self.names[-1]))
                self.names.pop()
            except FileNotFoundError:
                self.names.pop()
            except OSError:  # somebody still lives there
                Cgroup("%s/%s" % (self.cgroup.path, self.names.pop())).remove()
        self._undo.cancel()
        self.cgroup.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class Scraper:
    """An honest client in a thread of its own: scrapes until the end, every `interval` seconds or without a pause.

    `answers`: (seconds, what was wrong or None) of each; `first` and `largest` of the pages are kept.
    """

    def __init__(self, agent, interval=0.0, headers=None):
        self.answers, self.first, self.largest = [], b"", b""
        self._agent, self._interval, self._headers = agent, interval, headers
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(60 * SLOWNESS)

    def median(self):
        return statistics.median(seconds for seconds, _ in self.answers)

    def slowest(self):
        return max(seconds for seconds, _ in self.answers)

    def failures(self):
        return [wrong for _, wrong in self.answers if wrong]

    def parsed(self):
        """Both pages by the strict parser, which raises for what is not right."""
        return [parse(page.decode("utf-8")) for page in (self.first, self.largest)]

    def _run(self):
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic() - self._interval)
            begin = time.monotonic()
            wrong = self._scrape()
            self.answers.append((time.monotonic() - begin, wrong))

    def _scrape(self):
        try:
            status, _, body = self._agent.get("/metrics", self._headers)
        except Exception as error:  # http.client has many, and a thread must not end by one
            return repr(error)
        if status != 200:
            return "status %d" % status
        self.first = self.first or body
        self.largest = max(self.largest, body, key=len)
        return self._wrong(body)

    @staticmethod
    def _wrong(body):
        """What can be told of every page without parsing it: whether its end is there."""
        last = body.rstrip().rsplit(b"\n", 2)
        if not body.endswith(b"\n") or not (last[-1].startswith(b"process_start_time") or last[-1] == b"# EOF"):
            return "the page ends with %r" % last[-1][-200:]
        return None
