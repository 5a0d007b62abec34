# SPDX-License-Identifier: Apache-2.0
"""What all runtimes share: private state, containers that are found again by pid and cgroup, removal at the end."""

import os

from ..cgroup import Cgroup, cgroup_path
from ..cleanup import defer, workdir
from ..rootfs import Rootfs
from ..shell import alive, run, wait_until
from ..slowness import SLOWNESS


class Container:
    """A running container. `pid` is its init on the host, `cgroup_path` as after 0:: in /proc/PID/cgroup."""

    def __init__(self, runtime, name, container_id, pid, path=None):
        self.runtime, self.name, self.id, self.pid = runtime, name, container_id, pid
        self.cgroup_path = path or cgroup_path(pid)
        assert self.cgroup_path != "/", "%s did not get a cgroup of its own" % name
        self.cgroup = Cgroup(self.cgroup_path)

    def exec(self, argv, timeout=60, check=True):
        """Runs a command inside and returns it completed."""
        return run(self.runtime.exec_argv(self, argv), timeout, check)

    def alive(self):
        return alive(self.pid)

    def wait(self, timeout=60):
        """Until its init has ended."""
        wait_until(lambda: not self.alive(), timeout, "end of container %s" % self.name)

    def stop(self):
        """Ends it the runtime's way; its records stay until remove()."""
        self.runtime.stop(self)

    def remove(self):
        """Ends it if need be and removes every trace of it."""
        self.runtime.remove(self)

    def cpu_usage_ns(self):
        return self.cgroup.cpu_usage_ns()

    def __repr__(self):
        return "%s container %s (%s)" % (self.runtime.NAME, self.name, self.cgroup_path)


class Runtime:
    """Subclasses give _start, _stop, _remove and exec_argv, and start_daemon/stop_daemon where there is one."""

    NAME = ""
    PARENTS = ()  # cgroups that it makes for all its containers and never removes

    def __init__(self, rootfs=None):
        self.rootfs = rootfs or Rootfs()
        self.dir = workdir()
        self.containers = []
        self._parents = [Cgroup(parent).expect() for parent in self.PARENTS]
        self.start_daemon()
        self._undo = defer(self.close)  # newer than its daemons' undo steps, so it runs before them

    def run(self, name, argv, mounts=(), cpus=None, cpuset=None, memory=None, labels=None, **extra):
        """Starts a detached container.

        mounts: (host path, container path) pairs; cpus: a quota in cores; cpuset: e.g. "0"; memory: a limit in bytes.
        """
        wanted = Cgroup(extra["cgroup"]).expect() if extra.get("cgroup") else None
        container = self._start(name, list(argv), mounts=list(mounts), cpus=cpus, cpuset=cpuset, memory=memory,
                                labels=labels or {}, **extra)
        container.cgroup = wanted or container.cgroup
        self.containers.append(container)
        return container

    def stop(self, container):
        if container.alive():
            self._stop(container)
            container.wait(20 * SLOWNESS)

    def remove(self, container):
        if container not in self.containers:
            return
        self.containers.remove(container)
        try:
            self._remove(container)
        finally:
            container.cgroup.remove()

    def close(self):
        """Removes all containers, then ends the daemon; safe to call twice."""
        self._undo.cancel()
        problems = []
        for container in list(self.containers):
            try:
                self.remove(container)
            except Exception as error:  # the next one must have its turn
                problems.append(error)
        self.stop_daemon()
        for parent in self._parents:
            parent.forget_parents()
        if problems:
            raise problems[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def agent_roots(self):
        """What to put under containers.roots of the agent's configuration, so that it finds names and images."""
        return {}

    def start_daemon(self):
        pass

    def stop_daemon(self):
        pass

    def exec_argv(self, container, argv):
        raise NotImplementedError

    def _start(self, name, argv, **options):
        raise NotImplementedError

    def _stop(self, container):
        raise NotImplementedError

    def _remove(self, container):
        raise NotImplementedError

    def _image_tar(self):
        """The root file system as a tar, for runtimes that import images."""
        path = self.dir + "/rootfs.tar"
        if not os.path.exists(path):
            run(["tar", "-C", self.rootfs.path, "-cf", path, "."])
        return path
