# SPDX-License-Identifier: Apache-2.0
"""Commands, daemons and waiting: always with a deadline, never with a terminal. Deadlines are for a usual machine; a slower
one has SLOWNESS times as long."""

import os
import signal
import subprocess
import time

from .cleanup import defer
from .slowness import SLOWNESS


class CommandError(RuntimeError):
    pass


def run(argv, timeout=60, check=True, **options):
    """Runs a command to its end; its output is part of the error when it fails."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace",
                          timeout=timeout * SLOWNESS, **options)
    if check and done.returncode != 0:
        raise CommandError("%s: exit %d\n%s%s" % (" ".join(map(str, argv)), done.returncode,
                                                  done.stdout[-2000:], done.stderr[-4000:]))
    return done


def wait_until(condition, timeout=20, what="the condition", interval=0.01):
    """The first true value of condition(); an error names what did not happen in time, which may be asked then."""
    timeout *= SLOWNESS
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("%s did not happen within %g s" % (what() if callable(what) else what, timeout))
        time.sleep(interval)


def alive(pid):
    """Whether the process exists and has not ended (a zombie has)."""
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_process(pid, timeout=10):
    """SIGTERM, patience, SIGKILL: for one process that the tests started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
            wait_until(lambda: not alive(pid), timeout, "end of process %d" % pid)
            return
        except ProcessLookupError:
            return
        except TimeoutError:
            continue


class Daemon:
    """A child that runs in the background, logs to a file and dies with the tests at the latest."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(a) for a in argv]
        self.log_path = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--"] + self.argv, env=env, cwd=cwd,
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)  # a Ctrl-C is for us: we end it in order
        self._undo = defer(self.stop)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def wait_ready(self, condition, timeout=30):
        """Waits for condition(); fails at once, with the log, when the daemon ends before."""
        def ready_or_dead():
            return condition() or not self.running()
        try:
            wait_until(ready_or_dead, timeout, "start of %s" % self.argv[0])
        except TimeoutError as error:
            raise CommandError("%s\n%s" % (error, self.log()[-4000:])) from error
        if not self.running():
            raise CommandError("%s ended with %d\n%s" % (self.argv[0], self.process.returncode, self.log()[-4000:]))

    def stop(self, timeout=15):
        """SIGTERM and wait; SIGKILL when that is not enough. Returns the exit code."""
        self._undo.cancel()
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(timeout * SLOWNESS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout * SLOWNESS)
        return self.process.returncode
