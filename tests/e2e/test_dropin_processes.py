# SPDX-License-Identifier: Apache-2.0
"""cAdvisor's metrics of file systems and descriptors against the kernel: probe="filesystem", probe="descriptors"."""

import os
import unittest

from dropin import PREFIX, Case, ids_of
from testbed import (CANNOT_START, Agent, Cgroup, DockerRuntime, LxcRuntime, PodmanRuntime, Rootfs, RuncRuntime, run, wait_until,
                     watching, workdir)

def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


FS = ("container_fs_usage_bytes", "container_fs_limit_bytes", "container_fs_inodes_free",
      "container_fs_inodes_total")


def space(path):
    """(used bytes, bytes, free inodes, inodes) of the file system."""
    of = os.statvfs(path)
    return ((of.f_blocks - of.f_bfree) * of.f_frsize, of.f_blocks * of.f_frsize, of.f_ffree, of.f_files)


def device_of(path):
    """The device or source of the file system that a path is on, as df says."""
    return run(["df", "--output=source", path]).stdout.splitlines()[1].strip()


def device_type():
    return run(["df", "--output=fstype", workdir()]).stdout.splitlines()[1].strip()


def root_type_of(container):
    """The type of what is mounted on the container's root, as its own /proc says."""
    with open("/proc/%d/mountinfo" % container.pid, encoding="utf-8") as mounts:
        return [line.split(" - ")[1].split()[0] for line in mounts if line.split()[4] == "/"][-1]


class Filesystem(Case):
    @classmethod
    def setUpClass(cls):
        cls.rootfs = Rootfs(with_workloads=False)

    def shown(self, families, container_id):
        """({device}, values in the order of FS)"""
        found = [families.by("device", name, id=container_id) for name in FS]
        devices = set().union(*found)
        self.assertTrue(all(set(one) == devices for one in found), found)
        return devices, tuple(value for one in found for value in one.values())

    def check(self, agent, container, device, through=None):
        """The values are those of statfs from inside the container, and they follow it."""
        path = through or "/proc/%d/root" % container.pid
        for _ in range(20):  # others write to the same disk
            before, (devices, values), after = space(path), self.shown(agent.metrics(), container.cgroup_path), \
                space(path)
            self.assertEqual(devices, {device}, container)
            if before == after:
                self.assertEqual(values, before)
                return
            low, high = (tuple(edge(pair) for pair in zip(before, after)) for edge in (min, max))
            if all(a <= value <= b for a, value, b in zip(low, values, high)):
                return
        self.fail("%s: %s between %s and %s" % (container, values, before, after))

    def check_runtime(self, runtime_class, root_type):
        settings = {"containers": {"cgroups": [{"path": "/plimsoll-test/*"}]}}  # where runc's are
        with runtime_class(self.rootfs) as runtime, Agent(settings, [runtime]) as early:
            container = runtime.run("space", ["sleep", "1000"])
            self.assertEqual(root_type_of(container), root_type)
            inside = container.exec(["df", "-k", "/"]).stdout.splitlines()[-1].split()
            with Agent(settings, [runtime]) as late:
                for agent in (early, late):
                    self.check(agent, container, device_of(runtime.dir))
                    size = self.shown(agent.metrics(), container.cgroup_path)[1][1]
                    self.assertEqual(size // 1024, int(inside[-5]), inside)  # as df says in there
            container.stop()
            wait_until(lambda: self.shown(early.metrics(), container.cgroup_path) == (set(), ()), 5,
                       "the end of its gauges")

    def test_runc_on_a_directory(self):
        self.check_runtime(RuncRuntime, device_type())

    def test_docker_on_an_overlay(self):
        self.check_runtime(DockerRuntime, "overlay")

    def test_podman_on_an_overlay(self):
        self.check_runtime(PodmanRuntime, "overlay")

    def test_lxc_on_a_directory(self):
        self.check_runtime(LxcRuntime, device_type())

    def small_root(self, path):
        rootfs = Rootfs(with_workloads=False)
        rootfs.path = path
        for name in ("proc", "sys", "dev", "tmp", "bin"):
            os.makedirs(rootfs.path + "/" + name, exist_ok=True)
        run(["cp", "/bin/busybox", rootfs.path + "/bin/sleep"])
        return rootfs

    def check_growth(self, name, rootfs, beside, device="tmpfs"):
        """The container's values follow what is written to the file system that `beside` is on."""
        with RuncRuntime(rootfs) as runtime:
            agent = self.agent()
            container = runtime.run(name, ["sleep", "1000"], cgroup="%s/%s" % (PREFIX, name))
            self.check(agent, container, device, beside)
            first = self.shown(agent.metrics(), container.cgroup_path)[1]
            with open(beside + "/new", "wb") as file:
                file.write(bytes(23 * 4096))
            second = self.shown(agent.metrics(), container.cgroup_path)[1]
            self.assertEqual(second, (first[0] + 23 * 4096, first[1], first[2] - 1, first[3]))

    def test_a_tmpfs_follows_what_is_written_to_it(self):
        top = workdir()
        run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=97", "tmpfs", top])
        self.check_growth("memory", self.small_root(top + "/root"), top)

    def test_an_overlay_is_the_file_system_of_its_upper_directory(self):
        top = workdir()
        run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=97", "upper one", top])
        for name in ("upper", "work", "merged"):
            os.mkdir("%s/%s" % (top, name))
        run(["mount", "-t", "overlay", "-o", "lowerdir=%s,upperdir=%s/upper,workdir=%s/work"
             % (self.small_root(workdir()).path, top, top), "overlay", top + "/merged"])
        rootfs = Rootfs(with_workloads=False)
        rootfs.path = top + "/merged"
        self.check_growth("layered", rootfs, top, "upper one")

    def test_the_root_of_the_host_is_nobodys(self):
        service = self.cgroup("on-the-host")
        for command in (["sleep", "1000"], ["unshare", "--mount", "sleep", "1000"]):
            process = service.spawn(command)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
        families = self.agent().metrics()
        self.assertIn(service.path, ids_of(families, "container_threads"))
        self.assertEqual(self.shown(families, service.path), (set(), ()))


class Descriptors(Case):
    """Off unless it is turned on: probe="descriptors"."""

    def config(self):
        return {**watching(PREFIX), "probes": {"descriptors": {"enabled": True}}}

    def holder(self, cgroup, files, sockets):
        """A process with so many more descriptors than its first three."""
        script = ("import os, socket, sys, time\n"
                  "kept = [os.open('/dev/null', os.O_RDONLY) for _ in range(%d)]\n"
                  "kept += [socket.socket() for _ in range(%d)]\n"
                  "print('ready', flush=True)\ntime.sleep(1000)\n" % (files, sockets))
        process = cgroup.spawn(["python3", "-S", "-c", script], stdout=-1)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def truth(self, *processes):
        links = []
        for process in processes:
            directory = "/proc/%d/fd/" % process.pid
            links += [os.readlink(directory + name) for name in os.listdir(directory)]
        return len(links), sum(link.startswith("socket:") for link in links)

    def shown(self, agent, cgroup):
        families = agent.metrics()
        return tuple(families.value(name, id=cgroup.path) for name in ("container_file_descriptors",
                                                                       "container_sockets"))

    def test_they_are_counted_over_all_processes_of_the_subtree(self):
        one, other = self.cgroup("open"), self.cgroup("other")
        below = self.cgroup("open/below")
        first, second, third = self.holder(one, 23, 29), self.holder(below, 5, 7), self.holder(other, 3, 2)
        agent = self.agent(self.config())
        self.assertEqual(self.shown(agent, one), self.truth(first, second))
        self.assertGreaterEqual(self.shown(agent, one)[0], 23 + 29 + 5 + 7 + 2 * 3)
        self.assertEqual(self.shown(agent, one)[1], 29 + 7)
        self.assertEqual(self.shown(agent, other), self.truth(third))
        second.kill()
        second.wait()
        self.assertEqual(self.shown(agent, one), self.truth(first))

    def test_it_is_off_by_default(self):
        families = self.agent().metrics()
        self.assertEqual(families.samples("container_file_descriptors"), [])
        self.assertEqual(families.samples("plimsoll_probe_up", probe="descriptors"), [])
        self.assertEqual(families.value("plimsoll_probe_up", probe="filesystem"), 1)


class WithoutLedger(Case):
    def test_threads_and_processes_are_counted_by_the_kernels_files(self):
        one = self.cgroup("counted")
        below = self.cgroup("counted/below")
        script = ("import threading, time\n"
                  "for _ in range(4): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
                  "print('ready', flush=True)\ntime.sleep(1000)\n")
        for cgroup in (one, below, below):
            process = cgroup.spawn(["python3", "-S", "-c", script], stdout=-1)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            self.addCleanup(process.stdout.close)
            self.assertEqual(process.stdout.readline(), b"ready\n")
        agent = self.agent({**watching(PREFIX), "probes": {"ledger": {"enabled": False}}})
        families = agent.metrics()
        self.assertEqual(families.value("container_processes", id=one.path), 3)
        accounted = any(os.path.exists(directory + "/pids.current") for directory in one.directories.values())
        threads = [sample.value for sample in families.samples("container_threads", id=one.path)]
        self.assertEqual(threads, [3 * (1 + 4)] if accounted else [])


class Privileges(Case):
    def test_a_probe_that_cannot_look_into_processes_says_so(self):
        wanted = {**watching(PREFIX), "probes": {"descriptors": {"enabled": True}}}
        with Agent(wanted, wrapper=["setpriv", "--bounding-set", "-sys_ptrace"]) as agent:
            families = agent.metrics()
            for name in ("network", "traffic", "filesystem", "descriptors"):
                self.assertEqual(families.value("plimsoll_probe_up", probe=name), 0)
                why = "the agent needs CAP_SYS_PTRACE"
                if name in CANNOT_START:
                    why = "containers are told by a v1 hierarchy"
                self.assertIn("probe %s: %s" % (name, why), agent.log())
            self.assertEqual(families.value("plimsoll_probe_up", probe="ledger"), 1)


if __name__ == "__main__":
    unittest.main()
