# SPDX-License-Identifier: Apache-2.0
"""Containers whose cgroups systemd makes: plain services, and Podman's scopes. With the face of the other runtimes."""

import os

from plimsoll_testbed import Cgroup, Container, DockerRuntime, PodmanRuntime, run
from plimsoll_testbed.runtimes.base import Runtime
from plimsoll_testbed.workloads import WORKLOADS


def service_cgroup(name):
    return "/system.slice/%s.service" % name


class Services(Runtime):
    """A container is a transient service of the machine's own systemd, with the machine's own files."""

    NAME = "systemd"

    def exec_argv(self, container, argv):
        return ["systemd-run", "--quiet", "--wait", "--pipe", *argv]

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, properties=None):
        """labels: services have none. properties: more of systemd's."""
        del labels
        settings = {"OOMPolicy": "continue", "Environment": "PATH=%s:/bin:/usr/bin" % WORKLOADS, **(properties or {})}
        for key, value in (("CPUQuota", cpus and "%d%%" % (cpus * 100)), ("AllowedCPUs", cpuset),
                           ("MemoryMax", memory), ("BindPaths", " ".join("%s:%s" % mount for mount in mounts))):
            if value:
                settings[key] = value
        if argv[0] in ("waiter", "burner", "forker"):
            argv = [os.path.join(WORKLOADS, argv[0]), *argv[1:]]
        run(["systemd-run", "--quiet", "--unit=" + name, *("-p%s=%s" % pair for pair in settings.items()), *argv])
        pid = int(run(["systemctl", "show", "-P", "MainPID", name]).stdout)
        return Container(self, name, name, pid)

    def _stop(self, container):
        run(["systemctl", "stop", container.id], check=False)

    def _remove(self, container):
        run(["systemctl", "stop", container.id], check=False)
        run(["systemctl", "reset-failed", container.id], check=False)


class DockerScopes(DockerRuntime):
    """Docker as it sets itself up on cgroup v2."""

    PARENTS = ()
    CGROUP_DRIVER = "systemd"


class ScopeOfCrun(Cgroup):
    """crun sets limits one below the scope, in the cgroup `container`, and there throttling is told. On v1 each tells only
    what it refused itself."""

    BELOW = ("cpu.max", "memory.max", "memory.swap.max", "pids.max",
             "cpu.cfs_quota_us", "cpu.cfs_period_us", "memory.oom_control", "memory.limit_in_bytes",
             "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes")

    def read(self, name, controller=""):
        if name in self.BELOW:
            return super().read("container/" + name, controller)
        if name == "memory.failcnt":
            return str(sum(int(super(ScopeOfCrun, self).read(below + name, controller)) for below in ("", "container/")))
        text = super().read(name, controller)
        if name == "cpu.stat":
            quota = [line for line in super().read("container/" + name, controller).splitlines() if "_usec" not in line
                     or line.startswith(("throttled", "burst"))]
            text = "\n".join([line for line in text.splitlines() if line.split("_")[0] in ("usage", "user", "system")]
                             + quota)
        return text


class PodmanScopes(PodmanRuntime):
    """Podman as a distribution with cgroup v2 sets it up: crun, and a scope for each container."""

    PARENTS = ()
    CGROUPS = ("--cgroup-manager=systemd", "--runtime=crun")

    def _start(self, *arguments, **options):
        container = super()._start(*arguments, **options)
        scope = container.cgroup_path.removesuffix("/container")  # crun puts the processes one below
        container = Container(self, container.name, container.id, container.pid, scope)
        container.cgroup = ScopeOfCrun(scope)
        return container
