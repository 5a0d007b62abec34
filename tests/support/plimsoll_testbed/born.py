# SPDX-License-Identifier: Apache-2.0
"""A process that is born in a cgroup, by CLONE_INTO_CGROUP: it never was anywhere else, and knows how long it lived."""

import ctypes
import os
import signal
import struct
import time

from .cgroup import unified
from .cleanup import defer

_CLONE3 = 435  # the same on every architecture
_CLONE_INTO_CGROUP = 0x200000000
_libc = ctypes.CDLL(None, use_errno=True)


class Life:
    """What both sides measured, in seconds: the kernel's own account lies between `inside` and `outside`."""

    def __init__(self, inside, outside, status):
        self.inside, self.outside, self.status = inside, outside, status


class Born:
    """Runs body() in a new process in the cgroup (v2 hierarchy, else the test is skipped); wait() gives its Life."""

    def __init__(self, cgroup, body):
        directory = os.open(unified() + cgroup.path, os.O_PATH | os.O_CLOEXEC)
        self._reading, writing = os.pipe()
        arguments = ctypes.create_string_buffer(struct.pack(
            "<11Q", _CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, directory))
        self.before = now()
        self.pid = _libc.syscall(_CLONE3, arguments, 88)
        if self.pid == 0:
            _live(body, writing)
        self.after = now()  # here it exists
        os.close(writing)
        os.close(directory)
        if self.pid < 0:
            raise OSError(ctypes.get_errno(), "clone3 into %s" % cgroup.path)
        self._undo = defer(self.kill)

    def wait(self):
        """Until it has ended; its Life."""
        self._undo.cancel()
        with os.fdopen(self._reading) as pipe:
            inside = float(pipe.read() or "nan")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Life(inside, now() - self.before, status)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)  # until wait() it is there, be it as a zombie
        return self.wait()


def now():
    """Seconds of CLOCK_BOOTTIME, which the ledger counts by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _live(body, writing):
    status = 99
    try:
        begin = now()
        status = body() or 0
        os.write(writing, repr(now() - begin).encode())
    finally:
        os._exit(status)
