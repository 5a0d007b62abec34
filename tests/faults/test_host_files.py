# SPDX-License-Identifier: Apache-2.0
"""A host that hides or spoils what the agent reads: the kernel's type information, /proc, /sys, cgroups. Made by mounts that
only the agent sees. It refuses in a bounded time and memory, or lacks what it cannot know; never a 0 instead."""

import os
import random
import unittest

from limited import Limited
from startbed import FULL, SLOWNESS, Busy, Start, down, normal, refusal_problems, settle, workdir

BTF = "/sys/kernel/btf/vmlinux"
ENOUGH = 96  # MiB, where the agent takes some 40
# What the agent reads of /proc and /sys, each alone; a run takes them together, which hides as much.
FILES = ["/proc/meminfo", "/proc/vmstat", "/proc/stat", "/proc/cgroups", "/proc/diskstats", "/proc/partitions",
         "/proc/cpuinfo", "/proc/sys/kernel/osrelease", "/proc/net/dev"]
FOLDERS = ["/proc/pressure", "/proc/sys", "/proc/1", "/sys/block", "/sys/dev", "/sys/class"]
KERNELS_OWN = {"bpf": "/sys/fs/bpf", "tracefs": "/sys/kernel/tracing", "debugfs": "/sys/kernel/debug"}
# Not every host has them mounted.
MOUNT = "; ".join("mountpoint -q %s || mount -t %s none %s" % (path, kind, path) for kind, path in KERNELS_OWN.items())


def in_mounts(script):
    """A wrapper: mounts that nobody else sees, then the agent."""
    return ["unshare", "--mount", "sh", "-ec", script + '; exec "$@"', "sh"]


def hiding(paths):
    """Files are empty, folders have nothing in them; what this machine does not have is not hidden."""
    steps = [("mount --bind /dev/null %s" if os.path.isfile(path) else "mount -t tmpfs none %s") % path
             for path in paths if os.path.exists(path)]
    return in_mounts("; ".join(steps or [":"]))


class TypeInformation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(BTF, "rb") as file:
            cls.whole = file.read()
        cls.dir = workdir()

    def check_refused(self, content):
        path = self.dir + "/vmlinux"
        with open(path, "wb") as file:
            file.write(content)
        with Limited(ENOUGH) as limited:
            wrapper = [*limited.wrapper(), *in_mounts("mount --bind %s %s" % (path, BTF))]
            with Start(wrapper) as start:
                self.assertEqual(refusal_problems(start), [])
                self.assertIn("BTF", start.complaints()[-1])
                self.assertEqual(start.code, 1)
                self.assertLess(start.took, 5 * SLOWNESS)

    def test_none_of_it_is_a_refusal(self):
        with Start(in_mounts("mount -t tmpfs none /sys/kernel/btf")) as start:
            self.assertEqual(refusal_problems(start), [])
            self.assertIn("CONFIG_DEBUG_INFO_BTF", start.complaints()[-1])

    def test_a_part_of_it_is_a_refusal(self):
        size = len(self.whole)
        for length in (0, 23, size // 2, *((1, 24, 25, 4096, size - 1) if FULL else ())):
            with self.subTest(length):
                self.check_refused(self.whole[:length])

    def test_nonsense_is_a_refusal(self):
        dice = random.Random(20)
        for size in (1 << 12, *((1 << 20, 1 << 24) if FULL else ())):
            with self.subTest(size):
                self.check_refused(dice.randbytes(size))

    def test_a_right_header_before_nonsense_is_a_refusal(self):
        dice = random.Random(21)
        for kept in (24, *((4096, len(self.whole) // 4) if FULL else ())):
            with self.subTest(kept):
                self.check_refused(self.whole[:kept] + dice.randbytes(len(self.whole) - kept))

    def test_lengths_beyond_the_file_are_a_refusal(self):
        for place in ((8, 12, 16, 20) if FULL else (12, 20)):  # of btf_header: type_off, type_len, str_off, str_len
            with self.subTest(place):
                self.check_refused(self.whole[:place] + b"\xf0\xff\xff\x7f" + self.whole[place + 4:])


class Hidden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.busy = Busy()
        cls.addClassCleanup(cls.busy.remove)
        cls.usual = normal()

    def check(self, wrapper, runs=None):
        """runs: whether it must (True) or must not (False) start; None: either."""
        with Start(wrapper) as start:
            if not start.ready:
                self.assertIsNot(runs, True, start.log())
                self.assertEqual(refusal_problems(start), [])
                return None
            self.assertIsNot(runs, False, "it runs")
            pages = []
            for _ in range(3):
                settle()
                pages.append(start.agent.metrics())
            self.assertEqual(self.usual.zeros(pages), [])
            for name in down(pages[-1]):
                self.assertIn("probe %s: " % name, start.log())
            self.assertEqual(start.stop(), 0)
            return pages[-1]

    def test_what_cannot_be_read_is_absent(self):
        for paths in ([[path] for path in FILES + FOLDERS] if FULL else (FILES, FOLDERS)):
            with self.subTest(paths):
                self.check(hiding(paths))

    def test_with_or_without_bpffs_and_tracefs_a_host_lacks_nothing(self):
        for name, script in (("mounted", MOUNT), ("unmounted", "; ".join(
                "! mountpoint -q %s || umount --lazy %s" % (path, path) for path in KERNELS_OWN.values()))):
            with self.subTest(name):
                page = self.check(in_mounts(script), runs=True)
                self.assertEqual(self.usual.missing(page), [])
        for path in KERNELS_OWN.values():
            with self.subTest("nothing in " + path):
                self.assertEqual(self.usual.missing(self.check(hiding([path]), runs=True)), [])

    def test_file_systems_that_are_read_only_are_enough(self):
        page = self.check(in_mounts(MOUNT + "; mount --rbind / /; for m in /sys /proc; do mount -o remount,bind,ro $m; done; "
                                    "for m in %s /sys/fs/cgroup $(ls -d /sys/fs/cgroup/*/); do "
                                    "if mountpoint -q $m; then mount -o remount,bind,ro $m; fi; done; "
                                    "for m in %s; do if touch $m/file; then exit 99; fi; done"
                                    % ((" ".join(KERNELS_OWN.values()),) * 2)), runs=True)
        self.assertEqual(self.usual.missing(page), [])

    def test_the_number_of_cpus_is_not_guessed(self):
        self.check(hiding(["/sys/devices/system/cpu/possible"]), runs=False)

    def test_processes_that_are_hidden_are_told(self):
        """hidepid=2 hides the processes of others from whoever has no CAP_SYS_PTRACE."""
        few = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+bpf,+perfmon,+dac_read_search",
               "--ambient-caps=-all,+bpf,+perfmon,+dac_read_search"]
        for level in ((1, 2, 4) if FULL else (2,)):
            with self.subTest(level):
                page = self.check([*in_mounts("mount -t proc -o hidepid=%d proc /proc" % level), *few], runs=True)
                self.assertLessEqual({"network", "filesystem"}, set(down(page)))

    def test_a_controller_that_is_absent_takes_its_families_only(self):
        there = [name for name in ("cpu", "cpuacct", "memory", "blkio", "pids", "cpuset", "freezer", "unified")
                 if os.path.ismount("/sys/fs/cgroup/" + name)]
        if not there:
            self.skipTest("cgroup v1 is not mounted here")
        for name in (there if FULL else [name for name in there if name in ("memory", "unified")]):
            with self.subTest(name):
                page = self.check(in_mounts("umount --lazy /sys/fs/cgroup/" + name), runs=True)
                self.assertEqual(len(page.samples("container_threads", id=self.busy.id)), 1)

    def test_proc_that_is_not_there_is_a_refusal(self):
        self.check(in_mounts("mount -t tmpfs none /proc"), runs=False)


if __name__ == "__main__":
    unittest.main()
