# SPDX-License-Identifier: Apache-2.0
"""A private Docker: its own containerd and dockerd, no bridge, no firewall rules, cgroupfs driver."""

import os

from ..shell import Daemon, run
from .base import Container, Runtime
from .containerd import start_containerd

IMAGE = "plimsoll/busybox:1"
_DAEMONS = (b"dockerd", b"containerd", b"containerd-shim-runc-v2")


class DockerRuntime(Runtime):
    NAME = "docker"
    PARENTS = ("/docker",)
    CGROUP_DRIVER = "cgroupfs"

    def start_daemon(self):
        self._containerd = start_containerd(self.dir + "/containerd")
        self.socket = self.dir + "/docker.sock"
        self._dockerd = Daemon(
            ["/usr/sbin/dockerd", "--data-root", self.dir + "/data", "--exec-root", self.dir + "/exec",
             "-p", self.dir + "/docker.pid", "-H", "unix://" + self.socket, "--containerd", self._containerd.socket,
             "--iptables=false", "--ip6tables=false", "--bridge=none", "--exec-opt",
             "native.cgroupdriver=" + self.CGROUP_DRIVER],
            self.dir + "/dockerd.log")
        self._dockerd.wait_ready(lambda: run(self.client("version"), check=False).returncode == 0)
        run(self.client("import", self._image_tar(), IMAGE))

    def stop_daemon(self):
        self._dockerd.stop()
        self._containerd.stop()

    def daemons(self):
        """Pids of all that runs outside the containers for them: the daemons, and a shim for each container."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    program, *arguments = file.read().split(b"\0")
            except OSError:  # it ended meanwhile
                continue
            if self.dir.encode() in b" ".join(arguments) and os.path.basename(program) in _DAEMONS:
                found.append(int(pid))
        return found

    def agent_roots(self):
        return {"docker": [self.dir + "/data"]}

    def exec_argv(self, container, argv):
        return self.client("exec", container.id, *argv)

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, options=(),
               network="none"):
        """options: further arguments of `docker run`."""
        arguments = ["run", "-d", "--name", name, "--network=" + network]
        for flag, value in (("--cpus", cpus), ("--cpuset-cpus", cpuset), ("--memory", memory)):
            arguments += [flag, str(value)] if value else []
        for key, value in labels.items():
            arguments += ["--label", "%s=%s" % (key, value)]
        for outside, inside in mounts:
            arguments += ["-v", "%s:%s" % (outside, inside)]
        container_id = run(self.client(*arguments, *options, IMAGE, *argv)).stdout.strip()
        pid = int(run(self.client("inspect", "-f", "{{.State.Pid}}", container_id)).stdout)
        return Container(self, name, container_id, pid)

    def _stop(self, container):
        run(self.client("kill", container.id), check=False)

    def _remove(self, container):
        run(self.client("rm", "-f", container.id))

    def client(self, *arguments):
        """The command line of the client."""
        return ["/usr/bin/docker", "-H", "unix://" + self.socket, *arguments]
