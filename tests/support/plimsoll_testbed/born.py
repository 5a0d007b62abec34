# SPDX-License-Identifier: Apache-2.0
"""A process that is born in a cgroup, by CLONE_INTO_CGROUP: it never was anywhere else, and knows how long it lived. Where there
is no v2 hierarchy it is moved into the one that tells containers, and does nothing before."""

import ctypes
import os
import signal
import struct
import time

from .cgroup import hierarchies
from .cleanup import defer
from .slowness import SLOWNESS

_CLONE3 = 435  # the same on every architecture
_CLONE_INTO_CGROUP = 0x200000000
_libc = ctypes.CDLL(None, use_errno=True)


class Life:
    """What both sides measured, in seconds: the kernel's own account lies between `inside` and `outside`."""

    # Who waits for a process hears of its end a moment before it has left its CPU for good, which it is on until then.
    LAST_STEPS = 0.0002 * SLOWNESS

    def __init__(self, inside, outside, status):
        self.inside, self.outside, self.status = inside, outside, status


class Born:
    """Runs body() in a new process in the cgroup; wait() gives its Life."""

    FORKS = int("" in hierarchies())  # the kernel's count of forks in the cgroup goes up by that

    def __init__(self, cgroup, body):
        self._reading, writing = os.pipe()
        self.before = now()
        self.pid = (_clone_into if Born.FORKS else _fork_and_move)(cgroup)
        if self.pid == 0:
            _live(body, writing)
        self.after = now()  # here it exists
        os.close(writing)
        self._undo = defer(self.kill)

    def wait(self):
        """Until it has ended; its Life."""
        self._undo.cancel()
        with os.fdopen(self._reading) as pipe:
            inside = float(pipe.read() or "nan")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Life(inside, now() - self.before + Life.LAST_STEPS, status)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)  # until wait() it is there, be it as a zombie
        return self.wait()


def now():
    """Seconds of CLOCK_BOOTTIME, which the ledger counts by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _clone_into(cgroup):
    directory = os.open(cgroup.identity(), os.O_PATH | os.O_CLOEXEC)
    arguments = ctypes.create_string_buffer(struct.pack(
        "<11Q", _CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, directory))
    pid = _libc.syscall(_CLONE3, arguments, 88)
    if pid != 0:
        os.close(directory)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone3 into %s" % cgroup.path)
    return pid


def _fork_and_move(cgroup):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        return 0
    os.close(reading)
    with open(cgroup.identity() + "/cgroup.procs", "w", encoding="utf-8") as processes:
        processes.write("%d\n" % pid)
    os.close(writing)
    return pid


def _live(body, writing):
    status = 99
    try:
        begin = now()
        status = body() or 0
        os.write(writing, repr(now() - begin).encode())
    finally:
        os._exit(status)
