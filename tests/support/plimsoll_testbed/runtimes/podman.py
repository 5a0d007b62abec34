# SPDX-License-Identifier: Apache-2.0
"""Podman with private storage, the cgroupfs manager and runc."""

from ..shell import run
from .base import Container, Runtime

IMAGE = "localhost/plimsoll-busybox:1"


class PodmanRuntime(Runtime):
    NAME = "podman"
    PARENTS = ("/libpod_parent/conmon",)
    CGROUPS = ("--cgroup-manager=cgroupfs", "--runtime=runc")

    def start_daemon(self):  # there is none; the image is all there is to prepare
        run(self._podman("import", self._image_tar(), IMAGE), timeout=120)

    def stop_daemon(self):
        run(self._podman("system", "migrate"), check=False)  # ends the pause process, if there is one

    def agent_roots(self):
        return {"podman": [self.dir + "/storage", self.dir + "/run"]}

    def exec_argv(self, container, argv):
        return self._podman("exec", container.id, *argv)

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, options=(),
               network="none"):
        """options: further arguments of `podman run`. Ulimits are given because Podman would raise its own."""
        arguments = ["run", "-d", "--name", name, "--network=" + network, "--ulimit", "nofile=1024:1024",
                     "--ulimit", "nproc=4096:4096"]
        for flag, value in (("--cpus", cpus), ("--cpuset-cpus", cpuset), ("--memory", memory)):
            arguments += [flag, str(value)] if value else []
        for key, value in labels.items():
            arguments += ["--label", "%s=%s" % (key, value)]
        for outside, inside in mounts:
            arguments += ["-v", "%s:%s" % (outside, inside)]
        # Its monitor leaves a file `oom` where it was started, when there was one.
        container_id = run(self._podman(*arguments, *options, IMAGE, *argv), cwd=self.dir).stdout.strip()
        pid = int(run(self._podman("inspect", "-f", "{{.State.Pid}}", container_id)).stdout)
        return Container(self, name, container_id, pid)

    def _stop(self, container):
        run(self._podman("kill", container.id), check=False)

    def _remove(self, container):
        run(self._podman("rm", "-f", "-t", "0", container.id))

    def command(self, *arguments):
        """Any command of podman's, run to its end."""
        return run(self._podman(*arguments))

    def _podman(self, *arguments):
        return ["podman", "--root", self.dir + "/storage", "--runroot", self.dir + "/run", "--tmpdir",
                self.dir + "/tmp", *self.CGROUPS, *arguments]
