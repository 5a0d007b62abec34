# SPDX-License-Identifier: Apache-2.0
"""The programs under tests/support/workloads: where their binaries are, how to drive them, and what their truth means."""

import json
import os
import time

from .cleanup import workdir
from .shell import wait_until

NAMES = ("waiter", "burner", "forker")
ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
BUILD = os.environ.get("PLIMSOLL_BUILD", ROOT + "/build/release")
WORKLOADS = os.environ.get("PLIMSOLL_WORKLOADS", BUILD + "/workloads")

# The ledger state of each thing that `waiter` is blocked in, named as in its output.
STATE_OF = {
    "sleep": ("nanosleep", "clock_nanosleep", "restart_syscall", "timerfd_read"),
    "futex": ("futex_wait", "futex_wait_bitset", "futex_waitv", "mutex", "condvar"),
    "pipe": ("pipe_read", "pipe_write"),
    "unix": ("unix_recv", "unix_read", "unix_send", "unix_accept"),
    "socket": ("tcp_recv", "tcp_read", "tcp_send", "tcp_accept", "tcp_connect", "udp_recv", "udp_recvmmsg",
               "netlink_recv"),
    "poll": ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6"),
    "disk": ("fsync", "direct_read"),
    "child": ("wait4", "waitid", "vfork"),
    "io_uring": ("io_uring_enter", "io_uring_worker"),
    "stopped": ("stopped", "traced"),
    "blocked": ("inotify_close",),
    "other": ("rt_sigtimedwait", "pause", "rt_sigsuspend", "msgrcv", "semtimedop", "flock", "fcntl_lock",
              "mq_timedreceive", "eventfd_read", "signalfd_read", "inotify_read", "fifo_open",
              "int80_nanosleep", "int80_pipe_read"),  # 32-bit calls: never by the 64-bit table
}
# Of states that have kinds: the kind of each call.
KIND_OF = {
    "tcp_client": ("tcp_recv", "tcp_send", "tcp_connect"),
    "tcp_server": ("tcp_read", "tcp_accept"),
    "udp": ("udp_recv", "udp_recvmmsg"),
    "other": ("netlink_recv",),
    "read": ("pipe_read", "unix_recv", "unix_read", "unix_accept"),
    "write": ("pipe_write", "unix_send"),
}
# What is a wait in part, or not at all: no more than its time may be in that state, and as little as none.
AT_MOST = {"blocked": ("thread_exit",)}  # of the workers of io_uring
_KINDS = {call: kind for kind, calls in KIND_OF.items() for call in calls}
_STATES = {call: state for state, calls in STATE_OF.items() for call in calls}


def binary(name):
    path = "%s/%s" % (WORKLOADS, name)
    if not os.path.exists(path):
        raise FileNotFoundError("%s: build the workloads first (cmake --build --preset release)" % path)
    return path


def burner_argv(seconds, threads, cpu=None):
    return ["burner", "%g" % seconds, str(threads)] + ([str(cpu)] if cpu is not None else [])


def forker_argv(count, spin_us):
    return ["forker", str(count), str(spin_us)]


class Truth:
    """What a workload measured about itself: nanoseconds of CLOCK_BOOTTIME per blocking call, summed over threads."""

    def __init__(self, text):
        self.raw = json.loads(text)
        self.kind = self.raw.get("kind")
        self.error = self.raw.get("error")  # e.g. the kernel or a seccomp filter lacks the call
        self.waits = self.raw.get("waits", {})

    def states(self):
        """{ledger state: ns}"""
        sums = {}
        for call, ns in self.waits.items():
            if call in _STATES:
                sums[_STATES[call]] = sums.get(_STATES[call], 0) + ns
        return sums

    def at_most(self):
        """{ledger state: ns} of states that these waits may have, too."""
        return {state: sum(self.waits.get(call, 0) for call in calls) for state, calls in AT_MOST.items()}

    def kinds(self):
        """{(ledger state, kind)}, of the states that have kinds"""
        return {(_STATES[call], _KINDS[call]) for call in self.waits if call in _KINDS}

    def __repr__(self):
        return "Truth(%s)" % self.raw


class Waiter:
    """A container whose only process waits for orders, so that a test can scrape before and after each known wait.

    `directory` is bind-mounted at /out. Orders and answers are in memory: they must not wait for a disk. Between orders the
    process sits in a pipe read, or in poll after gate("poll"): choose the one that is not what the next order waits in.
    """

    def __init__(self, runtime, name, directory, **options):
        self._answers = workdir("/dev/shm")
        orders = self._answers + "/fifo"
        os.mkfifo(orders)
        self._writer = os.open(orders, os.O_RDWR | os.O_CLOEXEC)
        mounts = list(options.pop("mounts", ())) + [(directory, "/out"), (self._answers, "/orders")]
        self.container = runtime.run(name, ["waiter", "--orders", "/orders/fifo", "--out", "/orders"], mounts=mounts,
                                     **options)
        self._count = 0
        self._wait_result("ready", 20)

    def do(self, kind, seconds, timeout=30):
        """Runs one known wait to its end; the process is back at its gate when this returns."""
        self.start(kind, seconds)
        return self.result(timeout + seconds)

    def start(self, kind, seconds):
        self._count += 1
        os.write(self._writer, ("%d %s %g\n" % (self._count, kind, seconds)).encode())

    def result(self, timeout=30):
        text = self._wait_result("truth.%d" % self._count, timeout)
        time.sleep(0.005)  # from writing the file to blocking at the gate again: not observable from outside
        return Truth(text)

    def gate(self, kind):
        """How it waits between orders: "pipe_read" or "poll"."""
        truth = self.do("gate_" + kind, 0)
        assert truth.error is None, truth

    def kinds(self):
        with open(self._answers + "/ready", encoding="utf-8") as file:
            return json.load(file)["kinds"]

    def close(self):
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
            self.container.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _wait_result(self, name, timeout):
        path = "%s/%s" % (self._answers, name)
        wait_until(lambda: os.path.exists(path) or not self.container.alive(), timeout, path)
        if not os.path.exists(path):
            raise RuntimeError("%s ended without writing %s" % (self.container.name, name))
        with open(path, encoding="utf-8") as file:
            return file.read()
