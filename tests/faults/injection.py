# SPDX-License-Identifier: Apache-2.0
"""One system call of the agent's fails, the N-th of its kind in a thread: by strace. Which there are is seen, not assumed."""

import collections
import os
import re
import subprocess

from startbed import Start, defer, wait_until, workdir

# What each call may fail with, by its manual page; the likeliest first. A call that is not here fails with EIO.
ERRORS = {
    "accept4": ("EMFILE", "ENOBUFS", "EINTR"), "access": ("EACCES",), "bind": ("EADDRINUSE", "EACCES"),
    "bpf": ("ENOMEM", "EPERM", "EINVAL", "E2BIG"), "brk": ("ENOMEM",), "capget": ("EPERM",), "clock_nanosleep": ("EINTR",),
    "clone3": ("EAGAIN", "ENOMEM"), "close": ("EIO", "EINTR"), "dup3": ("EMFILE",), "epoll_create1": ("EMFILE",),
    "epoll_ctl": ("ENOMEM", "ENOSPC"), "epoll_wait": ("EINTR",), "eventfd2": ("EMFILE",), "faccessat2": ("EACCES",),
    "fcntl": ("EINVAL",), "fstat": ("EIO",), "getdents64": ("EIO", "ENOMEM"), "getpeername": ("ENOTCONN",),
    "getrandom": ("EINTR", "ENOSYS"), "getsockname": ("ENOBUFS",), "getsockopt": ("ENOBUFS",), "ioctl": ("ENOTTY",),
    "listen": ("EADDRINUSE",), "lseek": ("EINVAL",), "mmap": ("ENOMEM", "EPERM"), "mprotect": ("ENOMEM",),
    "mremap": ("ENOMEM",), "munmap": ("ENOMEM",), "newfstatat": ("EACCES", "ENOMEM"), "openat": ("EMFILE", "EACCES", "ENOMEM"),
    "open_by_handle_at": ("ESTALE", "EPERM"), "pidfd_open": ("EMFILE",), "poll": ("EINTR", "ENOMEM"), "prctl": ("EINVAL",),
    "pread64": ("EIO",), "prlimit64": ("EPERM",), "read": ("EIO", "EINTR"), "readlink": ("EACCES",), "readlinkat": ("EACCES",),
    "recvfrom": ("ECONNRESET", "EINTR"), "rt_sigaction": ("EINVAL",), "rt_sigprocmask": ("EINVAL",),
    "sendto": ("EPIPE", "ECONNRESET"), "setsockopt": ("ENOPROTOOPT",), "shutdown": ("ENOTCONN",), "signalfd4": ("EMFILE",),
    "socket": ("EMFILE", "EAFNOSUPPORT"), "statfs": ("EIO",), "timerfd_create": ("EMFILE",), "timerfd_settime": ("EINVAL",),
    "write": ("EIO", "ENOSPC"), "writev": ("EIO",),
}
# These cannot fail, or their failure is not the program's to see: the way out, and what glibc asks of the kernel for itself.
LEFT_OUT = {"exit", "exit_group", "execve", "getpid", "gettid", "getuid", "rseq", "rt_sigreturn", "restart_syscall",
            "sched_yield", "set_robust_list", "madvise",
            "futex"}  # glibc ends a program whose futex fails as the kernel never lets it fail


def strace(trace, arguments):
    return ["strace", "-f", "-qq", "-o", trace, *arguments]


def fault_arguments(call, error, number):
    how = "retval=0" if call == "brk" else "error=" + error  # brk has no errors: it returns an end that is not beyond
    return ["-e", "trace=" + call, "-e", "inject=%s:%s:when=%d" % (call, how, number)]


def places_in(text, since=None):
    """{kind of call: [(call, number)]}: the number is that of the call's name in its thread. The main thread's kinds are apart
    from those of all others together, bpf's by command, opened files by where they are; of the main thread those that come
    after the line with `since`."""
    places, counts, main, seen = collections.defaultdict(set), collections.Counter(), None, since is None
    loader = {}  # how often the main thread has made each call before
    for line in text.splitlines():
        match = re.match(r'(\d+) +(\w+)\((BPF_\w+|\w+, "(?:/proc|/sys/fs/cgroup|/sys|/|)|)', line)
        if not match:
            continue
        thread, call, detail = match.groups()
        main = main or thread
        counts[thread, call] += 1
        if (seen or thread != main) and call not in LEFT_OUT:
            kind = re.sub(r"^\d+", "below", detail) if call in ("bpf", "openat") else ""
            places[thread == main, call, kind].add((call, counts[thread, call]))
        if not seen and since in line:
            seen, loader = True, {call: number for (_, call), number in counts.items()}
    # A number counts in every thread: what would hit the main thread too early is left out.
    return {kind: sorted(place for place in found if place[1] > loader.get(place[0], 0))
            for kind, found in places.items()}


def spread(numbers, most):
    """At most so many of them: the first, the last, and what lies evenly between; of one the middle."""
    if len(numbers) <= most:
        return numbers
    if most == 1:
        return [numbers[len(numbers) // 2]]
    return sorted({numbers[round(i * (len(numbers) - 1) / (most - 1))] for i in range(most)})


def faults(places, most, all_errors):
    """[(call, error, number)]: of each kind so many, each with all errors that it may have or with one in turn."""
    wanted = sorted({place for found in places.values() for place in spread(found, most)})
    found = []
    for turn, (call, number) in enumerate(wanted):
        errors = ERRORS.get(call, ("EIO",))
        found += [(call, error, number) for error in (errors if all_errors else [errors[turn % len(errors)]])]
    return found


def was_injected(trace):
    with open(trace, encoding="utf-8", errors="replace") as lines:
        return "(INJECTED)" in lines.read()


class Tracer:
    """strace at a running agent, from the constructor's return to stop()."""

    def __init__(self, pid, arguments):
        self.trace = workdir() + "/trace"
        open(self.trace, "w", encoding="utf-8").close()
        self.process = subprocess.Popen(strace(self.trace, [*arguments, "-p", str(pid)]), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._undo = defer(self.stop)
        wait_until(lambda: self._attached(pid), 10, "strace at %d" % pid)

    def _attached(self, pid):
        """All of the threads are traced."""
        if self.process.poll() is not None:
            return True
        try:
            for thread in os.listdir("/proc/%d/task" % pid):
                with open("/proc/%d/task/%s/status" % (pid, thread), encoding="utf-8") as status:
                    if "\nTracerPid:\t0\n" in status.read():
                        return False
        except FileNotFoundError:
            return False
        return True

    def stop(self):
        self._undo.cancel()
        self.process.terminate()
        self.process.wait()
        with open(self.trace, encoding="utf-8", errors="replace") as text:
            return text.read()


class FailingStart(Start):
    """A start of which one call fails."""

    def __init__(self, call, error, number):
        self.trace = workdir() + "/trace"
        super().__init__(strace(self.trace, ["-D", "--seccomp-bpf", *fault_arguments(call, error, number)]))


def places_of_a_start():
    """Up to the first page; without what the dynamic loader does, which is glibc's."""
    trace = workdir() + "/trace"
    with Start(strace(trace, ["-D", "--seccomp-bpf"])) as start:
        start.agent.page()
        with open(trace, encoding="utf-8", errors="replace") as text:
            return places_in(text.read(), since="fcntl(0, F_GETFD)")
