# SPDX-License-Identifier: Apache-2.0
"""Probe block against fio's own results, the cgroup's files and the disk's statistics of the same moment."""

import json
import os
import unittest

from dropin import PURE_V2
from testbed import SLOWNESS, Agent, Cgroup, LoopDisk, unified, workdir

WATCHED = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/**"}]}}
BLOCK = 4096
TELLS_BIRTH = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 5)  # of requests; else a flush is nobody's on v1


def fio(cgroup, device, **options):
    """Runs it in the cgroup and returns its job as it tells it itself."""
    wanted = {"name": "job", "filename": device, "direct": 1, "ioengine": "psync", "bs": BLOCK, "rw": "randrw",
              "size": "8M", "output-format": "json", "output": workdir() + "/fio.json", **options}
    command = ["fio", *("--%s=%s" % (name.replace("_", "-"), value) for name, value in wanted.items())]
    assert cgroup.spawn(command).wait(60 * SLOWNESS) == 0
    with open(wanted["output"], encoding="utf-8") as file:
        return json.load(file)["jobs"][0]


def stat(disk):
    """{reads, writes, …} of the whole disk."""
    names = ("reads", "read_merges", "read_sectors", "read_ms", "writes", "write_merges", "write_sectors", "write_ms",
             "in_flight", "io_ms", "queue_ms", "discards", "discard_merges", "discard_sectors", "discard_ms", "flushes")
    with open("/sys/block/%s/stat" % os.path.basename(disk.device), encoding="utf-8") as file:
        return dict(zip(names, map(int, file.read().split())))


def files(cgroup, disk):
    """{(what, direction): value} as the cgroup's own files have it."""
    if "blkio" in cgroup.directories:
        found = {}
        for what, name in (("bytes", "blkio.throttle.io_service_bytes"), ("requests", "blkio.throttle.io_serviced")):
            for line in cgroup.read(name, "blkio").splitlines():
                words = line.split()
                if words[0] == disk.number and words[1] in ("Read", "Write"):
                    found[what, words[1].lower()] = int(words[2])
        return found
    for line in cgroup.read("io.stat").splitlines():
        number, *words = line.split()
        if number == disk.number:
            values = {name: int(value) for name, value in (word.split("=") for word in words)}
            return {("bytes", "read"): values["rbytes"], ("bytes", "write"): values["wbytes"],
                    ("requests", "read"): values["rios"], ("requests", "write"): values["wios"]}
    return {}


class Block(unittest.TestCase):
    def setUp(self):
        self.disk = LoopDisk()

    def values(self, families, cgroup, what):
        return families.by("direction", "container_block_" + what, id=cgroup.path, device=self.disk.device)

    def test_operations_and_bytes_are_those_that_fio_tells(self):
        with Cgroup("/plimsoll-test/one") as one, Cgroup("/plimsoll-test/two") as two, Agent(WATCHED) as agent:
            self.disk.count_for(one)
            before = stat(self.disk)
            jobs = {one: fio(one, self.disk.device), two: fio(two, self.disk.device, rw="write", bs=BLOCK * 2)}
            after, families = stat(self.disk), agent.metrics()
            for cgroup, job in jobs.items():
                for direction in ("read", "write"):
                    self.assertEqual(self.values(families, cgroup, "operations_total").get(direction, 0),
                                     job[direction]["total_ios"], (cgroup.path, direction))
                    self.assertEqual(self.values(families, cgroup, "bytes_total").get(direction, 0),
                                     job[direction]["io_bytes"], (cgroup.path, direction))
            for direction in ("read", "write"):
                told = sum(self.values(families, cgroup, "operations_total").get(direction, 0) for cgroup in jobs)
                self.assertEqual(told, after[direction + "s"] - before[direction + "s"])
            kernels = files(one, self.disk)
            self.assertEqual(kernels["bytes", "read"], jobs[one]["read"]["io_bytes"])
            for what in ("operations_total", "device_seconds_count", "queue_seconds_count"):
                self.assertEqual(self.values(families, one, what)["read"], kernels["requests", "read"], what)
            self.assertEqual(families.value("container_block_in_flight", id=one.path, device=self.disk.device), 0)
            self.assertEqual(families.sum("plimsoll_kernel_failures_total", place="block_requests_full"), 0)
            self.compare_latency(families, one, jobs[one])

    def compare_latency(self, families, cgroup, job):
        """What the disk takes is part of what fio measures around it."""
        for direction in ("read", "write"):
            fios = job[direction]["clat_ns"]["mean"] / 1e9 * job[direction]["total_ios"]
            ours = sum(self.values(families, cgroup, part + "_seconds_sum")[direction] for part in ("queue", "device"))
            self.assertLess(0, ours)
            self.assertLess(ours, fios)

    def test_requests_submitted_asynchronously_are_those_that_fio_tells(self):
        for engine in ("libaio", "io_uring"):
            with self.subTest(engine), Cgroup("/plimsoll-test/async") as cgroup, Agent(WATCHED) as agent:
                job = fio(cgroup, self.disk.device, ioengine=engine, iodepth=8)
                families = agent.metrics()
                for direction in ("read", "write"):
                    self.assertEqual(self.values(families, cgroup, "bytes_total")[direction],
                                     job[direction]["io_bytes"])
                    self.assertEqual(self.values(families, cgroup, "operations_total")[direction] +
                                     self.values(families, cgroup, "merges_total")[direction],
                                     job[direction]["total_ios"])

    def test_what_others_write_back_is_whose_it_was_where_the_kernel_can_tell(self):
        disk = self.disk = LoopDisk(64, mounted=True)
        with Cgroup("/plimsoll-test/writer") as writer, Cgroup("/plimsoll-test/syncer") as syncer, \
                Agent(WATCHED) as agent:
            writer.enable_controllers()
            order = ["dd", "if=/dev/zero", "of=%s/file" % disk.path, "bs=64k", "count=23", "status=none"]
            self.assertEqual(writer.spawn(order).wait(30 * SLOWNESS), 0)
            self.assertEqual(syncer.spawn(["sync", disk.path + "/file"]).wait(30 * SLOWNESS), 0)
            families = agent.metrics()
            written = {cgroup: self.values(families, cgroup, "bytes_total").get("write", 0)
                       for cgroup in (writer, syncer)}
            owner = writer if PURE_V2 else syncer
            self.assertGreaterEqual(written.pop(owner), 23 * (64 << 10))
            self.assertLess(written.popitem()[1], 23 * (64 << 10))

    def test_what_is_dirtied_and_synced_is_written_once_and_flushed(self):
        with Cgroup("/plimsoll-test/sync") as cgroup, Agent(WATCHED) as agent:
            self.disk.count_for(cgroup)
            before = stat(self.disk)
            order = ["dd", "if=/dev/zero", "of=" + self.disk.device, "bs=64k", "count=23", "conv=fsync", "status=none"]
            self.assertEqual(cgroup.spawn(order).wait(30 * SLOWNESS), 0)
            families, after = agent.metrics(), stat(self.disk)
            self.assertEqual(self.values(families, cgroup, "bytes_total")["write"], 23 * (64 << 10))
            self.assertEqual(self.values(families, cgroup, "operations_total").get("flush", 0),
                             after["flushes"] - before["flushes"] if PURE_V2 or TELLS_BIRTH else 0)
            self.assertGreater(after["flushes"], before["flushes"])
            self.assertEqual(self.values(families, cgroup, "merges_total")["write"],
                             after["write_merges"] - before["write_merges"])

    def test_discards_are_a_direction_of_their_own(self):
        with Cgroup("/plimsoll-test/discard") as cgroup, Agent(WATCHED) as agent:
            for offset in range(7):
                order = ["blkdiscard", "--offset", str(offset << 16), "--length", str(1 << 16), self.disk.device]
                self.assertEqual(cgroup.spawn(order).wait(30 * SLOWNESS), 0)
            families = agent.metrics()
            self.assertEqual(self.values(families, cgroup, "operations_total")["discard"], 7)
            self.assertEqual(self.values(families, cgroup, "bytes_total")["discard"], 7 << 16)


def without_files(path):
    """A cgroup of which no file tells what it did to disks."""
    unified()
    cgroup = Cgroup(path)
    cgroup.directories = {"": cgroup.directories[""]}
    return cgroup


class Supply(unittest.TestCase):
    """container_fs_… of containers that no file tells about."""

    def setUp(self):
        self.disk = LoopDisk()

    def fs(self, families, path):
        return {what: families.value("container_fs_%s_total" % what, id=path, device=self.disk.device)
                for what in ("reads_bytes", "writes_bytes", "reads", "writes")}

    def test_without_files_they_come_from_the_requests_and_stay_so_when_files_appear(self):
        with without_files("/plimsoll-test/supply") as cgroup, Agent(WATCHED) as agent:
            job = fio(cgroup, self.disk.device)
            first = self.fs(agent.metrics(), cgroup.path)
            self.assertEqual(first, {"reads_bytes": job["read"]["io_bytes"], "writes_bytes": job["write"]["io_bytes"],
                                     "reads": job["read"]["total_ios"], "writes": job["write"]["total_ios"]})
            with Cgroup(cgroup.path) as complete:
                self.disk.count_for(complete)
                again = fio(complete, self.disk.device, rw="randread")
                self.assertEqual(files(complete, self.disk)["requests", "read"], again["read"]["total_ios"])
                second = self.fs(agent.metrics(), cgroup.path)
            self.assertEqual(second["reads"], first["reads"] + again["read"]["total_ios"])
            self.assertEqual(second["writes_bytes"], first["writes_bytes"])

    def test_where_files_tell_they_are_the_source(self):
        with Cgroup("/plimsoll-test/files") as cgroup, Agent(WATCHED) as agent:
            self.disk.count_for(cgroup)
            fio(cgroup, self.disk.device, rw="write")
            told = files(cgroup, self.disk)
            families = agent.metrics()
            self.assertEqual(self.fs(families, cgroup.path)["writes"], told["requests", "write"])
            self.assertEqual(self.fs(families, cgroup.path)["writes_bytes"], told["bytes", "write"])

    def test_switched_off_the_probe_leaves_nothing_behind(self):
        config = {**WATCHED, "probes": {"block": {"enabled": False}}}
        with without_files("/plimsoll-test/off") as cgroup, Agent(config) as agent:
            fio(cgroup, self.disk.device, rw="write")
            families = agent.metrics()
            self.assertEqual([name for name in families if name.startswith("container_block_")], [])
            self.assertEqual(families.samples("container_fs_writes_total", id=cgroup.path), [])


if __name__ == "__main__":
    unittest.main()
