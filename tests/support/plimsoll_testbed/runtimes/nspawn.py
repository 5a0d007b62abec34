# SPDX-License-Identifier: Apache-2.0
"""systemd-nspawn: one process, or a booted systemd, in a cgroup named like the one that its service would give it.

The container's cgroup is the service's: it holds nspawn itself, which waits in poll, and /payload with the container's
processes in the v2 and the name=systemd hierarchy.
"""

import os
import signal
import subprocess

from ..cgroup import Cgroup, cgroup_paths, hierarchies
from ..cleanup import defer
from ..rootfs import systemd_root
from ..shell import CommandError, end_process, run, wait_until
from ..slowness import SLOWNESS
from .base import Container, Runtime

# A host for an agent: it may load BPF programs and sees the cgroups of the whole machine by their real paths.
_LIKE_A_HOST = ["--capability=CAP_BPF,CAP_PERFMON,CAP_NET_ADMIN", "--system-call-filter=bpf perf_event_open"]
_WHOLE_TREE = {"SYSTEMD_NSPAWN_USE_CGNS": "0", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}

_ENTER = 'for f in "$@"; do [ "$f" = -- ] && break; shift; echo $$ >"$f"; done; shift; exec "$@"'


class NspawnRuntime(Runtime):
    NAME = "nspawn"
    PARENTS = ("/machine.slice",)

    def boot(self, name, root=None, **options):
        """A container whose init is systemd; its services are cgroups below cgroup_path + /payload/system.slice.

        root: another root than systemd_root(); it is not changed. like_host: an agent can run inside.
        """
        container = self.run(name, ["--boot"], rootfs=root or systemd_root(), **options)
        container.booted = True
        wait_until(lambda: container.exec(["systemctl", "is-system-running"], check=False).stdout.strip()
                   in ("running", "degraded"), 60, "boot of %s" % name, interval=0.1)
        return container

    def exec_argv(self, container, argv):
        places = hierarchies()
        own = ["%s%s/cgroup.procs" % (places[name].rstrip("/"), path)
               for name, path in cgroup_paths(container.pid).items() if name in places]
        return ["sh", "-c", _ENTER, "sh", *own, "--", "nsenter", "-t", str(container.pid), "-a",
                "env", "PATH=/bin:/usr/bin:/usr/sbin", *argv]

    def _start(self, name, argv, mounts, cpus, cpuset, memory, labels, rootfs=None, like_host=False):
        """Limits are set on the service's cgroup, as systemd would; labels: nspawn has none."""
        del labels
        service = Cgroup("/machine.slice/systemd-nspawn@%s.service" % name).create()
        service.limit(cpus, cpuset, memory)
        command = ["systemd-nspawn", "--quiet", "-M", name, "--register=no", "--keep-unit", "--private-network",
                   "-D", rootfs or self.rootfs.path, "--volatile=overlay" if rootfs else "--read-only"]
        command += ["--bind=%s:%s" % mount for mount in mounts] + (_LIKE_A_HOST if like_host else [])
        command += ["--console=pipe", *argv]
        log = "%s/%s.log" % (self.dir, name)
        with open(log, "wb") as output:
            supervisor = subprocess.Popen(
                ["sh", "-c", _ENTER, "sh"] + [d + "/cgroup.procs" for d in service.directories.values()]
                + ["--", "setpriv", "--pdeathsig", "TERM", "--", *command],
                env={**os.environ, **(_WHOLE_TREE if like_host else {})},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        undo = defer(lambda: end_process(supervisor.pid))
        wait_until(lambda: supervisor.poll() is not None or _leader(supervisor.pid), 30, "start of %s" % name)
        if supervisor.poll() is not None:
            with open(log, encoding="utf-8", errors="replace") as text:
                raise CommandError("systemd-nspawn %s: exit %d\n%s" % (name, supervisor.returncode, text.read()))
        container = Container(self, name, name, _leader(supervisor.pid), service.path)
        container.cgroup, container.supervisor, container.undo = service, supervisor, undo
        container.booted = False
        return container

    def _stop(self, container):
        if container.booted:
            container.exec(["systemctl", "poweroff"], check=False)
        else:
            os.kill(container.pid, signal.SIGKILL)
        container.supervisor.wait(60 * SLOWNESS)

    def _remove(self, container):
        container.undo.run()
        container.supervisor.wait(30 * SLOWNESS)


def _leader(supervisor):
    """The container's init: nspawn's child, once it is in the payload cgroup and has become its own program."""
    for child in run(["ps", "-o", "pid=", "--ppid", str(supervisor)], check=False).stdout.split():
        try:
            with open("/proc/%s/cgroup" % child, encoding="utf-8") as file:
                inside = "/payload" in file.read()
            if inside and os.readlink("/proc/%s/exe" % child) != os.path.realpath("/usr/bin/systemd-nspawn"):
                return int(child)
        except OSError:  # it ended meanwhile
            continue
    return None
