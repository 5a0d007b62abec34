# SPDX-License-Identifier: Apache-2.0
"""Every metric family of the catalogue, each with a workload that makes it differ from zero, on whatever kernel this is;
values against the kernel's files or against what was done. families.py has the list."""

import operator
import os
import re
import subprocess
import sys
import time
import unittest

from dropin import MOVING, PREFIX, differences, look, truth
from families import HEALTHY_AT_ZERO, WORKLOAD_OF, WORKLOADS, reason_of_absence
from family_work import ASK, CALLS, CONGESTED, DESCRIPTORS, MEMORY, MOVES, SERVE, TUNNEL
from places import SERVER, Between, peers
from test_dropin_network import network
from test_dropin_processes import FS, space
from test_io import fio
from testbed import (SLOWNESS, Agent, Cgroup, LoopDisk, Netns, RuncRuntime, Waiter, burner_argv, binary, command, cpu_clock,
                     kernel_facts, measure, note, run, wait_until, workdir)

EVERYTHING = {"probes": {"io": {"enabled": True}, "descriptors": {"enabled": True}}, "self": {"bpf_stats": True},
              "containers": {"discover": [], "linger": "20s",
                             "cgroups": [{"path": PREFIX + "/*"}, {"path": "/plimsoll-test/*"}]}}


def ways_in():
    """{probe: method}, of those that run"""
    families = Case.agent.metrics()
    return {sample.labels["probe"]: sample.labels["method"] for sample in families.samples("plimsoll_probe_info")
            if families.value("plimsoll_probe_up", probe=sample.labels["probe"])}


def setUpModule():
    """One agent for all: on a slow machine its start takes longer than most of what follows."""
    Case.agent = unittest.enterModuleContext(Agent(EVERYTHING))
    Case.fexit = "fexit" in command("check").stdout
    note("machine", "release", re.match(r"[\d.]+(\+deb\d+|-\d+)?", os.uname().release).group())
    for probe, method in ways_in().items():
        note("probes", probe, method)
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Case(unittest.TestCase):
    """Containers that begin and work before the eyes of an agent with everything on."""
    agent = fexit = None

    def cgroup(self, name):
        cgroup = self.enterContext(Cgroup(PREFIX + "/" + name))
        self.agent.wait_value("container_threads", lambda threads: threads == 0, id=cgroup.path)
        return cgroup

    def python(self, cgroup, script, *arguments, namespace=None):
        """Starts it; it is where it wants to be when it has written a line."""
        enter = ["nsenter", "--net=" + namespace.path] if namespace else []
        process = cgroup.spawn([*enter, sys.executable, "-S", "-c", script, *arguments], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "there\n")
        return process

    def check(self, workload, families, *places):
        """Every family of the workload is there and not 0 for one of the containers, or absent for a reason."""
        labels = [{"id": place} for place in places] or [{}]
        problems = []
        for family in WORKLOADS[workload].split():
            name = family + "_count" if family in families and families[family].type == "histogram" else family
            total = sum(families.sum(name, **one) for one in labels)
            there = any(families.samples(name, **one) for one in labels)
            reason = reason_of_absence(family, self.fexit)
            if reason and there and total:
                problems.append("%s is there, though this kernel has no %s" % (family, reason))
            elif not reason and not (there and (total > 0 or family in HEALTHY_AT_ZERO)):
                problems.append("%s is %s" % (family, "0" if there else "absent"))
            else:
                note("families", family, "no: " + reason if reason else "yes")
        self.assertEqual(problems, [])


class Catalogue(unittest.TestCase):
    def test_the_ways_in_are_those_on_record_for_this_kernel(self):
        now = ways_in()
        self.assertEqual(now, kernel_facts().get("probes", now))  # without: nobody has run it yet

    def test_every_family_has_one_workload_and_every_workload_a_test(self):
        listed = {line.split("`")[1] for line in command("metrics").stdout.splitlines() if line.startswith("| `")}
        self.assertGreater(len(listed), 100)
        self.assertEqual(set(WORKLOAD_OF), listed)
        self.assertEqual(sum(len(names.split()) for names in WORKLOADS.values()), len(WORKLOAD_OF))
        tests = set(unittest.defaultTestLoader.getTestCaseNames(Files)) | \
            set(unittest.defaultTestLoader.getTestCaseNames(Kernel)) | \
            set(unittest.defaultTestLoader.getTestCaseNames(Connections))
        self.assertEqual({"test_" + workload for workload in WORKLOADS}, tests)


class Files(Case):
    """What comes from the kernel's files, compared with them."""

    def test_cpu(self):
        cgroup = self.cgroup("cpu")
        cgroup.limit(cpus=0.2)
        for directory in cgroup.directories.values():
            for name in ("cpu.cfs_burst_us", "cpu.max.burst"):
                if os.path.exists(directory + "/" + name):
                    with open(directory + "/" + name, "w", encoding="utf-8") as file:
                        file.write("20000\n")
        copy = "sleep 0.5; dd if=/dev/zero of=/dev/null bs=1M count=1000 status=none; "
        burner = cgroup.spawn(["sh", "-c", copy * 3 + "exec %s 1 2" % binary("burner")], stdout=subprocess.DEVNULL)
        self.assertEqual(burner.wait(120 * SLOWNESS), 0)
        reading = look(self.agent, cgroup)
        self.assertEqual(differences(reading, cgroup.path), [])
        self.check("cpu", reading.families, cgroup.path)

    def test_memory(self):
        cgroup = self.cgroup("memory")
        disk = LoopDisk(64, mounted=True, direct=True)
        self.addCleanup(LoopDisk(96, direct=True).swap_on().run)
        cgroup.limit(memory=48 << 20)
        for directory in cgroup.directories.values():
            for name, value in (("memory.memsw.limit_in_bytes", 128 << 20), ("memory.swap.max", 80 << 20),
                                ("memory.soft_limit_in_bytes", 8 << 20), ("memory.min", 8 << 20),
                                ("memory.high", (48 << 20) - (64 << 10)), ("pids.max", 23)):
                if os.path.exists(directory + "/" + name):
                    with open(directory + "/" + name, "w", encoding="utf-8") as file:
                        file.write("%d\n" % value)
        work = self.python(cgroup, MEMORY, disk.path)
        self.addCleanup(run, ["sync"])
        reading = look(self.agent, cgroup)
        self.assertEqual(differences(reading, cgroup.path, MOVING), [])
        self.assertEqual(reading.families.value("container_threads_max", id=cgroup.path), 23)
        self.check("memory", reading.families, cgroup.path)
        work.kill()
        work.wait()

    def test_frozen(self):
        """Writes that do not come to their end, because the disk below does not take them."""
        cgroup = self.cgroup("frozen")
        lower = LoopDisk(128, mounted=True)
        upper, raw = (LoopDisk(*size, directory=lower.path + name) for size, name in (((32, True), "/upper"), ((8,), "/raw")))
        thaw = lower.freeze()
        writers = [cgroup.spawn(["dd", "if=/dev/zero", "of=" + target, "bs=64k", "count=16", "status=none", how])
                   for target, how in ((upper.path + "/file", "conv=fsync"), (raw.device, "oflag=direct"))]
        try:
            in_flight = dict(id=cgroup.path, device=raw.device)
            self.agent.wait_value("container_block_in_flight", lambda count: count == 1, **in_flight)
            families = self.agent.wait_value("container_memory_file_writeback_bytes", bool, id=cgroup.path)
            self.check("frozen", families, cgroup.path)
        finally:
            thaw.run()
        self.assertEqual([writer.wait(60 * SLOWNESS) for writer in writers], [0, 0])
        families = self.agent.metrics()
        self.assertEqual(families.value("container_block_in_flight", **in_flight), 0)
        self.assertEqual(families.value("container_memory_file_writeback_bytes", id=cgroup.path), 0)

    def test_disk(self):
        cgroup, disk = self.cgroup("disk"), LoopDisk(direct=True)
        disk.count_for(cgroup)
        before = disk.merges()
        for order in (["of=" + disk.device, "if=/dev/zero", "oflag=direct", "bs=64k", "count=23"],
                      ["if=" + disk.device, "of=/dev/null", "iflag=direct", "bs=32k", "count=29"]):
            self.assertEqual(cgroup.spawn(["dd", "status=none", *order]).wait(30 * SLOWNESS), 0)
        reading = look(self.agent, cgroup, lambda group: truth.disk(group, {disk.number: disk.device}))
        self.assertEqual(differences(reading, cgroup.path), [])
        for direction, size in (("write", 23 << 16), ("read", 29 << 15)):
            self.assertEqual(reading.families.value("container_block_bytes_total", id=cgroup.path, device=disk.device,
                                                    direction=direction), size)
        fio(cgroup, disk, ["--ioengine=libaio", "--rw=write", "--iodepth=16", "--iodepth_batch=16", "--direct=1"])
        os.truncate(disk.dir + "/image", 20480)  # a read of two blocks is cut in its third one
        self.assertNotEqual(cgroup.spawn(["dd", "if=" + disk.device, "of=/dev/null", "iflag=direct", "bs=8k"],
                                         stderr=subprocess.DEVNULL).wait(30 * SLOWNESS), 0)
        families, of_disk = self.agent.metrics(), dict(id=cgroup.path, device=disk.device)
        merges = families.by("direction", "container_block_merges_total", **of_disk)
        self.assertEqual([merges.get(way, 0) for way in ("read", "write")], [*map(operator.sub, disk.merges(), before)])
        self.assertEqual(families.sum("container_block_errors_total", **of_disk), 1)
        self.check("disk", families, cgroup.path)

    def test_space(self):
        with RuncRuntime() as runtime:
            begin = time.time()
            container = runtime.run("space", ["sleep", "1000"])
            families = self.agent.wait_value("container_fs_usage_bytes", bool, id=container.cgroup_path)
            self.assertEqual(families.value("container_fs_limit_bytes", id=container.cgroup_path), space(runtime.dir)[1])
            self.assertEqual(families.value("container_fs_inodes_total", id=container.cgroup_path), space(runtime.dir)[3])
            for family in ("container_start_time_seconds", "container_last_seen"):
                self.assertTrue(begin - 1 <= families.value(family, id=container.cgroup_path) <= time.time() + 1, family)
            self.assertLessEqual(set(FS), set(families))
            self.check("space", families, container.cgroup_path)

    def test_descriptors(self):
        cgroup = self.cgroup("descriptors")
        self.python(cgroup, DESCRIPTORS)
        families = self.agent.metrics()
        self.assertEqual(families.value("container_sockets", id=cgroup.path), 7)
        self.assertEqual(families.value("container_file_descriptors", id=cgroup.path), 3 + 23 + 7)
        self.check("descriptors", families, cgroup.path)

    def test_interfaces(self):
        """Errors and drops come from a tunnel whose packets nobody can route or read."""
        here, there = Netns(), Netns()
        for namespace in (here, there):
            self.addCleanup(namespace.remove)
        here.cable(there, 31)
        cgroup = self.cgroup("interfaces")
        self.python(cgroup, TUNNEL, namespace=here)
        here.send("10.234.31.2", 23, 1000)
        there.send("10.234.31.1", 29, 1000)
        for name, id_, remote in (("odd0", "1", "10.234.31.2"), ("odd1", "2", "10.99.99.99")):
            here.ip("link", "add", name, "type", "vxlan", "id", id_, "remote", remote, "dstport", "4789")
            here.ip("addr", "add", "10.23%d.0.1/24" % (4 + int(id_)), "dev", name)
            here.ip("link", "set", name, "up")
        here.send("10.236.0.2", 5, 100)     # no route to the tunnel's end
        there.run(sys.executable, "-c", CONGESTED, "10.234.31.1")
        before, families, after = here.counters(), self.agent.metrics(), here.counters()
        shown = network(families, id=cgroup.path)
        self.assertEqual(set(shown), set(before) - {"lo"})
        for interface, columns in shown.items():
            for column, value in columns.items():
                self.assertTrue(before[interface][column] <= value <= after[interface][column], (interface, column))
        self.assertGreaterEqual(shown["eth0"]["receive_bytes"], 29 * 1000)
        self.check("interfaces", families, cgroup.path)

    def test_machine(self):
        self.addCleanup(LoopDisk(8).swap_on().run)
        families = self.agent.metrics()
        with open("/proc/meminfo", encoding="utf-8") as lines:
            kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
        self.assertEqual(families.value("machine_cpu_cores"), os.cpu_count())
        self.assertEqual(families.value("machine_memory_bytes"), kilobytes["MemTotal"] * 1024)
        self.assertEqual(families.value("machine_swap_bytes"), kilobytes["SwapTotal"] * 1024)
        self.check("machine", families)

    def test_agent(self):
        config = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-few/*"}], "max": 1},
                  "self": {"bpf_stats": True}}
        with Cgroup("/plimsoll-few") as parent, Agent(config) as agent:
            agent.metrics()
            with Cgroup(parent.path + "/one") as one, Cgroup(parent.path + "/two"), Cgroup(parent.path + "/three"):
                self.assertEqual(one.spawn(["true"]).wait(30 * SLOWNESS), 0)
                families = agent.wait_value("plimsoll_containers_added_total", lambda count: count == 3)
                self.assertEqual(families.sum("plimsoll_containers"), 1)
                self.assertEqual(families.value("plimsoll_containers_overflow"), 2)
            agent.wait_value("plimsoll_containers_removed_total", lambda count: count == 3)
            with Cgroup(parent.path + "/a"), Cgroup(parent.path + "/b"):
                families = agent.wait_value("plimsoll_containers_overflow", lambda count: count == 1)
                status = open("/proc/%d/statm" % agent.pid, encoding="utf-8").read().split()
                self.assertAlmostEqual(families.value("process_resident_memory_bytes") / int(status[1]) / 4096, 1, delta=0.1)
                self.assertAlmostEqual(families.value("process_cpu_seconds_total"), cpu_clock(agent.pid), delta=0.2 * SLOWNESS)
                self.check("agent", families)


class Kernel(Case):
    """What comes from the kernel programs, compared with what was done."""

    def test_processes(self):
        cgroup = self.cgroup("processes")
        cgroup.limit(memory=16 << 20)
        script = "; ".join(["/bin/true"] * 23 + ["/bin/false"] * 7 + ["dd if=/dev/zero of=/dev/null bs=48M count=1", "exit 0"])
        self.assertEqual(cgroup.spawn(["sh", "-c", script], stderr=subprocess.DEVNULL).wait(60 * SLOWNESS), 0)
        families = self.agent.wait_value("container_threads", lambda threads: threads == 0, id=cgroup.path)
        self.assertEqual(families.by("outcome", "container_process_exits_total", id=cgroup.path),
                         {"success": 24, "failure": 7, "SIGKILL": 1})
        self.assertEqual(families.value("container_process_forks_total", id=cgroup.path), 31)
        self.assertEqual(families.value("container_process_seconds_count", id=cgroup.path), 32)
        self.assertEqual(families.value("container_oom_events_total", id=cgroup.path), cgroup.oom_kills())
        self.check("processes", families, cgroup.path)

    def test_ledger(self):
        with RuncRuntime() as runtime, Waiter(runtime, "ledger", workdir()) as waiter:
            identity = waiter.container.cgroup_path
            self.agent.wait_value("container_threads", lambda threads: threads == 1, id=identity)
            for kind in ("tcp_recv", "unix_recv", "pipe_read", "futex_wait", "epoll_wait", "fsync"):
                with self.subTest(kind):
                    measurement = measure(self.agent, waiter, kind, 0.5)
                    self.assertEqual(measurement.problems() + measurement.kind_problems(), [])
            waiter.container.exec(["sh", "-c", MOVES])
            families = self.agent.wait_value("container_threads", lambda threads: threads == 1, id=identity)
            states = families.sum("container_thread_seconds_total", id=identity)
            lifetime = families.value("container_thread_lifetime_seconds_total", id=identity)
            self.assertAlmostEqual(states, lifetime, delta=0.001)
            self.check("ledger", families, identity)

    def test_smoothing(self):
        cgroup = self.cgroup("smoothing")
        last = str(os.cpu_count() - 1)
        burner = cgroup.spawn(["taskset", "-c", last, binary("burner"), "20", "2"])
        self.addCleanup(burner.wait)
        self.addCleanup(burner.kill)
        families = self.agent.wait_value("container_cpu_usage_cores", lambda cores: cores and cores > 0.3, id=cgroup.path,
                                         window="1s")
        used = families.value("container_cpu_usage_cores", id=cgroup.path, window="1s")
        waited = families.value("container_cpu_wait_cores", id=cgroup.path, window="1s")
        self.assertLess(used, 1.05)
        self.assertLess(used + waited, 2.1)
        self.assertGreaterEqual(families.value("container_cpu_wait_cores_peak", id=cgroup.path, window="60s"), waited)
        self.check("smoothing", families, cgroup.path)

    def test_calls(self):
        cgroup, disk = self.cgroup("calls"), LoopDisk()
        for engine in ("psync", "io_uring", "libaio"):
            told = fio(cgroup, disk, ["--ioengine=" + engine, "--rw=randrw", "--direct=1", "--iodepth=4"])
            families = self.agent.metrics()
            self.assertGreater(told["read"]["total_ios"], 300)
        self.assertEqual(sum(families.by("operation", "container_aio_submissions_total", id=cgroup.path).values()),
                         told["read"]["total_ios"] + told["write"]["total_ios"])
        fio(cgroup, disk, ["--ioengine=io_uring", "--rw=write", "--fsync=7"])  # fsync is for a worker
        process = self.python(cgroup, CALLS, workdir() + "/file")
        process.wait(30 * SLOWNESS)
        families = self.agent.metrics()
        of_files = {"id": cgroup.path, "class": "file", "direction": "write"}
        self.assertGreaterEqual(families.value("container_io_bytes_total", **of_files), 23 * 1009)
        self.assertEqual(families.value("container_io_errors_total", id=cgroup.path, direction="read",
                                        **{"class": "pipe"}), 7)
        self.check("calls", families, cgroup.path)


class Connections(Case, Between):
    def watch(self):
        return Case.agent

    def page_between_equal_counters(self):
        def counters():
            return [place.net.tcp_counters() for place in (self.server, self.client)]
        before, families = counters(), self.agent.metrics()
        return families if counters() == before else None

    def test_connections(self):
        self.server.serve(self, 7001, sys.executable, "-c", SERVE, SERVER)
        self.client.lose("tcp dport 7001 ip length > 1000 numgen inc mod 7 3")
        status, output = self.client.python(ASK, SERVER)
        self.assertEqual((status, output.split()), (0, ["refused"] * 5))
        families = wait_until(self.page_between_equal_counters, 20, "an end of what is sent again")
        for place, role in ((self.client, "client"), (self.server, "server")):
            for direction in ("read", "write"):
                self.assertEqual(self.traffic(families, place, "tcp", role, direction), 13 * 1009)
        self.assertEqual(families.value("container_tcp_connections_failed_total", id=self.client.id, role="client",
                                        reason="refused"), 5)
        self.assertEqual(families.value("container_tcp_resets_total", id=self.client.id, direction="received"), 5)
        self.assertEqual(families.value("container_tcp_retransmits_total", id=self.client.id),
                         self.client.segments_sent_again())
        self.assertEqual(peers(families, self.client, direction="write"), {"server": 13 * 1009})
        self.assertEqual(families.value("container_tcp_listen_drops_total", id=self.server.id, reason="overflow"),
                         self.server.net.tcp_counters()["ListenOverflows"])
        self.assert_sums(families)
        self.check("connections", families, self.client.id, self.server.id)


if __name__ == "__main__":
    unittest.main()
