# SPDX-License-Identifier: Apache-2.0
"""What a test started ends with it: a stack of undo steps, run at exit, on a signal and after a failure."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback

_steps = []
_prepared = False


class Undo:
    """One step of the stack. run() does it now, once; cancel() forgets it."""

    def __init__(self, action):
        self._action = action

    def run(self):
        action, self._action = self._action, None
        if self in _steps:
            _steps.remove(self)
        if action:
            action()

    def cancel(self):
        self._action = None
        if self in _steps:
            _steps.remove(self)


def defer(action):
    """Registers an undo step; the newest runs first."""
    _prepare()
    step = Undo(action)
    _steps.append(step)
    return step


def run_all():
    """Undoes everything; a step that fails is reported and the others still run."""
    while _steps:
        try:
            _steps[-1].run()
        except Exception:  # the next step must have its turn
            traceback.print_exc()


def workdir(parent=None):
    """A private directory, removed at exit together with what is still mounted in it. `parent`: not where temporary files are."""
    path = tempfile.mkdtemp(prefix="plimsoll-test-", dir=parent)
    os.chmod(path, 0o755)  # processes that gave up root must be able to enter
    defer(lambda: _remove_tree(path))
    return path


def unmount_below(path):
    """Unmounts all that is mounted at or below path, the newest first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        points = [line.split()[4].replace("\\040", " ") for line in mounts]
    for point in reversed(points):
        if point == path or point.startswith(path + "/"):
            os.system("umount -l '%s' 2>/dev/null" % point.replace("'", "'\\''"))


def _end_users_of(path):
    """Ends the processes that name the directory in their arguments: shims and monitors that outlived their daemon."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                if path.encode() in file.read() and int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


def _remove_tree(path):
    _end_users_of(path)
    unmount_below(path)
    shutil.rmtree(path, ignore_errors=True)


def _prepare():
    global _prepared
    if _prepared:
        return
    _prepared = True
    atexit.register(run_all)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
