# SPDX-License-Identifier: Apache-2.0
"""cgroups across all hierarchies of the machine (v1, hybrid or v2): made, filled, read and removed at one path."""

import os
import signal
import subprocess
import unittest

from .cleanup import defer
from .shell import wait_until


def hierarchies():
    """{controllers as in /proc/PID/cgroup: mount point}; the v2 hierarchy is named ""."""
    found = {}
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            left, right = line.rstrip("\n").split(" - ", 1)
            point, kind = left.split()[4], right.split()[0]
            if kind == "cgroup2":
                found.setdefault("", point)
            elif kind == "cgroup":
                options = right.split()[2].split(",")
                names = [o for o in options if o not in ("rw", "ro", "xattr", "clone_children", "noprefix")
                         and not o.startswith("release_agent=")]
                found.setdefault(",".join(names), point)
    return found


def unified():
    """The mount point of the v2 hierarchy; where there is none, the test is skipped."""
    found = hierarchies()
    if "" not in found:
        raise unittest.SkipTest("no v2 hierarchy")
    return found[""]


def cgroup_paths(pid):
    """{controllers: path} of a process, "" for v2."""
    with open("/proc/%d/cgroup" % pid, encoding="utf-8", errors="surrogateescape") as lines:
        return {name: path for _, name, path in (line.rstrip("\n").split(":", 2) for line in lines)}


def _telling(of):
    """The value of the hierarchy that tells containers: v2, or memory's where there is none."""
    return of[""] if "" in of else next(value for names, value in of.items() if "memory" in names.split(","))


def cgroup_path(pid):
    """The path that the agent knows the cgroup by; on v2 as after 0:: in /proc/PID/cgroup."""
    return _telling(cgroup_paths(pid))


class Cgroup:
    """One path in every hierarchy. create() makes it and removes it at exit; without it, this is only a view."""

    def __init__(self, path):
        self.path = "/" + path.strip("/")
        self.directories = {name: point.rstrip("/") + self.path for name, point in hierarchies().items()}
        self._made = []
        self._undo = None

    def identity(self):
        """Its directory in the hierarchy that tells containers."""
        return _telling(self.directories)

    def missing(self):
        """The directories that do not exist yet, from the top down."""
        missing = []
        for directory in self.directories.values():
            absent = []
            while not os.path.isdir(directory):
                absent.append(directory)
                directory = os.path.dirname(directory)
            missing += reversed(absent)
        return missing

    def expect(self):
        """Somebody else is about to create it: remove() will then also remove what is missing now."""
        self._made += self.missing()
        return self

    def create(self):
        for new in self.missing():
            os.mkdir(new)
            self._made.append(new)
            if os.path.exists(new + "/cpuset.mems.effective") or not os.path.exists(new + "/cpuset.mems"):
                continue  # v2 inherits by itself
            _inherit_cpuset(new)
        self._undo = self._undo or defer(self.remove)
        return self

    def __enter__(self):
        return self.create()

    def __exit__(self, *_):
        self.remove()

    def _entrances(self):
        """Where processes go in. They cannot be in all hierarchies at once, but in those that are compared with each other
        one right after the other: the one that tells CPU time, and the one that tells containers."""
        def late(hierarchy):
            names, directory = hierarchy
            return directory == self.identity(), "cpuacct" in names.split(",")
        return [directory + "/cgroup.procs" for _, directory in sorted(self.directories.items(), key=late)]

    def add(self, pid):
        for file in self._entrances():
            _write(file, pid)

    def spawn(self, argv, **options):
        """Starts a process in it, from its first instruction after exec; it dies with the tests at the latest."""
        script = 'for file in $FILES; do echo $$ >"$file" || exit 1; done; exec "$@"'
        files = " ".join(self._entrances())
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", script, "sh", *map(str, argv)],
                                env={**os.environ, "FILES": files}, start_new_session=True, **options)

    def enable_controllers(self):
        """Pure v2: has its parents pass on all that the machine's root does; they cannot hold processes then."""
        if set(self.directories) != {""}:
            return
        directory = hierarchies()[""]
        for parent in self.path.split("/")[1:-1]:
            directory += "/" + parent
            _pass_on_controllers(directory)

    def limit(self, cpus=None, cpuset=None, memory=None, pids=None):
        """A quota in cores, a list of CPUs, a size in bytes, a number of processes; in v1 or v2 files, whichever there are."""
        self.enable_controllers()
        wanted = []
        if cpus:
            wanted.append((("cpu.cfs_quota_us", int(cpus * 100000)), ("cpu.max", "%d 100000" % (cpus * 100000))))
        if cpuset:
            wanted.append((("cpuset.cpus", cpuset),))
        if memory:
            wanted.append((("memory.limit_in_bytes", memory), ("memory.max", memory)))
        if pids:
            wanted.append((("pids.max", pids),))
        for choices in wanted:
            files = [(directory + "/" + name, value) for name, value in choices
                     for directory in self.directories.values() if os.path.exists(directory + "/" + name)]
            _write(*files[0])

    def favour(self):
        """It and its parents get CPU before others do, where the kernel lets that be told."""
        for directory in self.directories.values():
            while not os.path.ismount(directory):
                for name, most in (("cpu.shares", 262144), ("cpu.weight", 10000)):
                    if os.path.exists(directory + "/" + name):
                        _write(directory + "/" + name, most)
                directory = os.path.dirname(directory)
        return self

    def procs(self):
        """The processes in it and below it, in any hierarchy."""
        pids = set()
        for directory in self.directories.values():
            for folder, _, _ in os.walk(directory):
                pids.update(_pids(folder))
        return pids

    def kill(self, timeout=10):
        """Ends every process in it, each by its pid."""
        def empty():
            pids = self.procs()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            return not pids
        wait_until(empty, timeout, "emptying %s" % self.path)

    def remove(self):
        """Ends what runs in it and removes it with all below it, and the parents made for it that nobody else uses."""
        if self._undo:
            self._undo.cancel()
        assert self.path != "/", "the root cgroup is not ours"
        self.kill()
        for directory in self.directories.values():
            for folder, _, _ in os.walk(directory, topdown=False):
                wait_until(lambda folder=folder: _rmdir(folder), 5, "removal of %s" % folder)
        self.forget_parents()

    def forget_parents(self):
        """Removes the directories that were missing before, as far as nobody else uses them."""
        while self._made:
            _rmdir(self._made.pop())

    def read(self, name, controller=""):
        """A file of the cgroup, from the hierarchy that has the controller."""
        for names, directory in self.directories.items():
            if controller in names.split(",") and os.path.exists(directory + "/" + name):
                with open(directory + "/" + name, encoding="utf-8") as file:
                    return file.read()
        raise FileNotFoundError("%s of %s (%s)" % (name, self.path, controller or "v2"))

    def oom_kills(self):
        """The kernel's own count."""
        try:
            text = self.read("memory.oom_control", "memory")
        except FileNotFoundError:
            text = self.read("memory.events")
        return int(dict(line.split() for line in text.splitlines())["oom_kill"])

    def cpu_usage_ns(self):
        """The kernel's own account of the CPU time of the cgroup."""
        try:
            return int(self.read("cpuacct.usage", "cpuacct"))
        except FileNotFoundError:
            fields = dict(line.split() for line in self.read("cpu.stat").splitlines())
            return int(fields["usage_usec"]) * 1000


def _inherit_cpuset(directory):
    for name in ("cpuset.cpus", "cpuset.mems"):
        with open(os.path.dirname(directory) + "/" + name, encoding="utf-8") as file:
            _write(directory + "/" + name, file.read().strip())


def _pass_on_controllers(directory):
    with open(directory + "/cgroup.controllers", encoding="utf-8") as file:
        available = file.read().split()
    with open(directory + "/cgroup.subtree_control", encoding="utf-8") as file:
        missing = sorted(set(available) - set(file.read().split()))
    if missing:
        _write(directory + "/cgroup.subtree_control", " ".join("+" + name for name in missing))


def _write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write("%s\n" % value)


def _pids(folder):
    try:
        with open(folder + "/cgroup.procs", encoding="utf-8") as file:
            return [int(line) for line in file]
    except OSError:  # gone meanwhile, or a threaded child
        return []


def _rmdir(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
