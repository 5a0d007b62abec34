# SPDX-License-Identifier: Apache-2.0
"""cAdvisor's drop-in metrics against the kernel's own files of the same moment, for every runtime."""

import os
import unittest

from dropin import PURE_V2, RuntimeCase, differences, look, truth
from testbed import (RUNTIMES, SLOWNESS, Agent, Cgroup, LoopDisk, OnEveryRuntime, RemoteShell, Rootfs, RuncRuntime,
                     hierarchies, outside, unified, wait_until, workdir)


class Runtimes(OnEveryRuntime, RuntimeCase):
    @classmethod
    def setUpClass(cls):
        if not PURE_V2 and not {"cpuacct", "memory"} <= {name for names in hierarchies() for name in names.split(",")}:
            raise unittest.SkipTest("no hierarchies of cpuacct and memory")
        cls.rootfs = Rootfs()

    def check(self, name):
        with RUNTIMES[name](self.rootfs) as runtime:
            self.check_runtime(runtime)


class Disk(unittest.TestCase):
    def test_bytes_and_requests_of_a_device_are_counted_as_the_kernel_counts_them(self):
        disk = LoopDisk()
        device, number = disk.device, disk.number
        with Cgroup("/plimsoll-test/disk") as cgroup, Agent(watching_tests()) as agent:
            disk.count_for(cgroup)
            agent.wait_value("container_threads", lambda threads: threads == 0, id=cgroup.path)
            self.assertEqual(agent.metrics().samples("container_fs_writes_total", id=cgroup.path, device=device), [])
            for order in (["of=" + device, "if=/dev/zero", "oflag=direct", "bs=64k", "count=23"],
                          ["if=" + device, "of=/dev/null", "iflag=direct", "bs=32k", "count=29"]):
                self.assertEqual(cgroup.spawn(["dd", "status=none", *order]).wait(30 * SLOWNESS), 0)
            reading = look(agent, cgroup, lambda group: truth.disk(group, {number: device}))
            self.assertEqual(differences(reading, cgroup.path), [])
            self.assertEqual(len(reading.before["files"]), 4)
            values = {what: reading.families.value("container_fs_%s_total" % what, id=cgroup.path, device=device)
                      for what in ("reads_bytes", "writes_bytes", "writes")}
            self.assertEqual(values["writes_bytes"], 23 * (64 << 10))
            self.assertGreaterEqual(values["reads_bytes"], 29 * (32 << 10))
            self.assertGreaterEqual(values["writes"], 23)


def watching_tests():
    return {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/**"}]}}


class Groups(unittest.TestCase):
    def test_the_root_and_slices_carry_values_and_the_machine_has_its_own(self):
        with Cgroup("/plimsoll-test.slice") as group, Cgroup("/plimsoll-test.slice/inner") as inner:
            config = {"containers": {"discover": [], "cgroups": [{"path": inner.path}]}}
            with Agent(config) as agent:
                group.limit(memory=64 << 20)
                self.assertEqual(inner.spawn(["dd", "if=/dev/zero", "of=/dev/null", "bs=1M", "count=200",
                                              "status=none"]).wait(30 * SLOWNESS), 0)
                reading = look(agent, group)
                self.assertEqual(differences(reading, group.path), [])
                families = reading.families
                root = Cgroup("/")
                used = root.cpu_usage_ns() / 1e9
                self.assertLessEqual(families.value("container_cpu_usage_seconds_total", id="/"), used)
                self.assertGreater(families.value("container_cpu_usage_seconds_total", id="/"), used * 0.99)
                with open("/proc/meminfo", encoding="utf-8") as meminfo:
                    total = int(meminfo.readline().split()[1]) * 1024
                for family in ("container_spec_memory_limit_bytes", "machine_memory_bytes"):
                    labels = {} if family.startswith("machine") else {"id": "/"}
                    self.assertEqual(families.value(family, **labels), total)
                usage = families.value("container_memory_usage_bytes", id="/")
                self.assertTrue(0 < usage < total, usage)
                self.assertEqual(families.value("machine_cpu_cores"), os.cpu_count())
                self.assertEqual(families.samples("container_threads", id="/"), [])


@unittest.skipIf(PURE_V2, "no v1 hierarchies")
class Hybrid(unittest.TestCase):
    """Where a container's cgroups are not the same everywhere."""

    def test_a_cgroup_of_v2_only_has_its_cpu_time_and_nothing_from_v1(self):
        with Cgroup("/plimsoll-test") as parent, Agent(watching_tests()) as agent:
            path = unified() + parent.path + "/v2-only"
            os.mkdir(path)
            agent.wait_value("container_threads", lambda threads: threads == 0, id="/plimsoll-test/v2-only")
            families = agent.metrics()
            self.assertEqual(families.value("container_cpu_usage_seconds_total", id="/plimsoll-test/v2-only"), 0)
            for family in ("container_memory_usage_bytes", "container_spec_cpu_period", "container_threads_max"):
                self.assertEqual(families.samples(family, id="/plimsoll-test/v2-only"), [])

    def test_a_v1_directory_that_is_made_anew_while_the_container_lives_is_read_again(self):
        with Cgroup("/plimsoll-test/anew") as cgroup, Agent(watching_tests()) as agent:
            agent.wait_value("container_memory_usage_bytes", lambda usage: usage is not None, id=cgroup.path)
            directory = cgroup.directories["memory"]
            wait_until(lambda: not os.path.exists(directory) or os.rmdir(directory) or True, 5, "removal")
            families = agent.metrics()
            self.assertEqual(families.samples("container_memory_usage_bytes", id=cgroup.path), [])
            self.assertEqual(len(families.samples("container_cpu_usage_seconds_total", id=cgroup.path)), 1)
            os.mkdir(directory)
            with open(directory + "/memory.limit_in_bytes", "w", encoding="utf-8") as limit:
                limit.write("%d\n" % (48 << 20))
            self.assertEqual(agent.value("container_spec_memory_limit_bytes", id=cgroup.path), 48 << 20)


class NoFiles(unittest.TestCase):
    def test_the_ledger_tells_the_cpu_time_of_what_has_no_files(self):
        """Containers beyond the limit share one account, which has no cgroup of its own."""
        config = watching_tests()
        config["containers"]["max"] = 1
        with RuncRuntime() as runtime, Agent(config) as agent:
            shells = [self.enterContext(RemoteShell(runtime, "nofile-%d" % i, workdir())) for i in range(2)]
            agent.wait_value("plimsoll_containers_overflow", lambda overflow: overflow == 1)
            own = {shell.id for shell in shells} & set(agent.metrics().by("id", "container_threads"))
            shared = [shell for shell in shells if shell.id not in own]
            self.assertEqual(len(shared), 1)
            self.assertEqual(shared[0].do("burner 0.5 1"), 0)
            name = (set(agent.metrics().by("id", "container_threads")) - own).pop()
            families = agent.wait_value("container_tasks_state", lambda running: running == 0, id=name, state="running")
            used = families.value("container_cpu_usage_seconds_total", id=name, cpu="total")
            running = families.value("container_thread_seconds_total", id=name, state="running")
            stolen = families.value("container_cpu_stolen_seconds_total", id=name)
            self.assertAlmostEqual(used, running - stolen, 6)
            charged = shared[0].container.cpu_usage_ns() / 1e9
            self.assertEqual(outside(used, charged * 0.8, charged, 0.02), 0, (used, charged))
            self.assertEqual(families.samples("container_memory_usage_bytes", id=name), [])
            self.assertEqual(families.by("state", "container_tasks_state", id=name)["sleeping"],
                             families.value("container_threads", id=name))


class FewDescriptors(unittest.TestCase):
    def test_with_few_descriptors_every_value_is_still_right(self):
        wrapper = ["prlimit", "--nofile=600:600"]  # 512 are reserved: 88 left for what 8 containers would keep
        with RuncRuntime() as runtime, Agent(watching_tests(), wrapper=wrapper) as agent:
            shells = [self.enterContext(RemoteShell(runtime, "few-%d" % i, workdir(), memory=32 << 20, cpus=0.5))
                      for i in range(8)]
            for shell in shells:
                agent.wait_value("container_threads", lambda threads: threads == 1, id=shell.id)
            for shell in shells:
                self.assertEqual(differences(look(agent, shell.container.cgroup), shell.id), [])
            self.assertLess(len(os.listdir("/proc/%d/fd" % agent.pid)), 600)


if __name__ == "__main__":
    unittest.main()
