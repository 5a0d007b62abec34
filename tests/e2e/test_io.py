# SPDX-License-Identifier: Apache-2.0
"""Bytes, operations and times of fio's jobs on a disk of its own, against what fio says of itself."""

import json
import math
import re
import unittest

from testbed import SLOWNESS, Agent, Cgroup, LoopDisk, command, outside, programs_of, watching, workdir

OPERATIONS = 1009
JOBS = {
    "psync": ["--ioengine=psync", "--rw=randrw"],
    "psync, direct": ["--ioengine=psync", "--rw=randrw", "--direct=1"],
    "vectors": ["--ioengine=pvsync2", "--rw=randrw"],
    "io_uring": ["--ioengine=io_uring", "--rw=randrw", "--iodepth=8"],
    "io_uring, direct": ["--ioengine=io_uring", "--rw=randrw", "--iodepth=8", "--direct=1"],
    "io_uring, all fixed": ["--ioengine=io_uring", "--rw=randrw", "--iodepth=8", "--fixedbufs=1", "--registerfiles=1"],
    "io_uring, polled by a thread": ["--ioengine=io_uring", "--rw=randrw", "--iodepth=8", "--sqthread_poll=1"],
    "libaio": ["--ioengine=libaio", "--rw=randrw", "--iodepth=8", "--direct=1"],
}


def by_method(method):
    return dict(watching("/plimsoll-test"), probes={"io": {"enabled": True, "method": method}})


def fio(cgroup, disk, options):
    """Runs a job in the cgroup; what fio measured of it."""
    result = workdir() + "/fio.json"
    job = ["fio", "--name=job", "--filename=" + disk.device, "--size=8M", "--bs=3k", "--thread=1",
           "--number_ios=%d" % OPERATIONS, "--output-format=json", "--output=" + result, *options]
    process = cgroup.spawn(job)
    code = process.wait(timeout=120 * SLOWNESS)
    with open(result, encoding="utf-8") as file:
        text = file.read()
    if code != 0:
        raise AssertionError("fio ended with %d: %s" % (code, text))
    return json.loads(text[text.index("{"):])["jobs"][0]


def bucket_of_median(families, name, **labels):
    """The index of the bucket that has the median: the exponent of its bound in microseconds."""
    buckets = sorted((float(s.labels["le"]), s.value) for s in families.samples(name + "_bucket", **labels))
    half = families.value(name + "_count", **labels) / 2
    return next(round(math.log2(bound * 1e6)) for bound, count in buckets if count >= half)


class Fio(unittest.TestCase):
    def setUp(self):
        self.disk = LoopDisk()
        self.agent = self.enterContext(Agent(by_method("auto")))

    def run_in_container(self, name, options):
        with Cgroup("/plimsoll-test/" + name) as cgroup:
            self.agent.wait_value("container_threads", lambda threads: threads == 0, id=cgroup.path)
            return cgroup.path, fio(cgroup, self.disk, options), self.agent.metrics()

    def test_operations_and_bytes_are_fios_own(self):
        for name, options in JOBS.items():
            with self.subTest(name):
                container, truth, families = self.run_in_container(
                    name.replace(" ", "-").replace(",", ""), options)
                for direction in ("read", "write"):
                    labels = {"id": container, "class": "block", "direction": direction}
                    self.assertGreater(truth[direction]["total_ios"], OPERATIONS // 3)
                    self.assertEqual(
                        (families.value("container_io_operations_total", **labels),
                         families.value("container_io_bytes_total", **labels),
                         families.value("container_io_errors_total", **labels)),
                        (truth[direction]["total_ios"], truth[direction]["io_bytes"], 0), direction)

    def test_requests_are_those_of_the_engine(self):
        container, truth, families = self.run_in_container("ring", JOBS["io_uring"])
        requests = families.by("operation", "container_io_uring_requests_total", id=container)
        self.assertEqual(requests, {"read": truth["read"]["total_ios"], "write": truth["write"]["total_ios"]})
        self.assertEqual(families.value("container_io_uring_seconds_count", id=container), OPERATIONS)
        container, truth, families = self.run_in_container("aio", JOBS["libaio"])
        requests = families.by("operation", "container_aio_submissions_total", id=container)
        self.assertEqual(requests, {"pread": truth["read"]["total_ios"], "pwrite": truth["write"]["total_ios"]})

    def test_the_median_time_of_a_call_is_fios_or_in_the_bucket_beside(self):
        """For fio, the time that an io_uring request takes to complete begins when the call that submitted it has
        returned, its latency before that call; ours in between, when the kernel takes the request. Only one request at
        a time: fio looks for what has completed when its queue is full, after that for up to all the others."""
        for name, direct in (("calls", "psync, direct"), ("requests", "io_uring, direct")):
            with self.subTest(name):
                container, truth, families = self.run_in_container(
                    name, [*JOBS[direct], "--iodepth=1", "--clat_percentiles=1", "--lat_percentiles=1"])
                medians_us = [truth["read"][time]["percentile"]["50.000000"] / 1e3 for time in ("clat_ns", "lat_ns")]
                low, high = (max(0, math.ceil(math.log2(median))) for median in medians_us)
                found = bucket_of_median(families, "container_io_seconds", id=container, direction="read",
                                         **{"class": "block"})
                print("    median of fio %.1f to %.1f us (buckets %d to %d), ours in bucket %d"
                      % (*medians_us, low, high, found))
                self.assertEqual(outside(found, low, high, 1), 0)

# What each method loads, and what `plimsoll check` says that it costs.
AT_ALL_CALLS = {"on_sys_enter", "on_sys_exit"}
COSTS = {"fentry": "by fentry: only calls that read and write pay",
         "syscalls": "by the hooks of all system calls: each one of the machine pays"}


class Methods(unittest.TestCase):
    def check(self, method):
        """The verdict and the detail of `plimsoll check` about the probe."""
        path = workdir() + "/plimsoll.yaml"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(by_method(method), file)
        return re.search(r"(?m)^(\S+) +probe io +(.*)$", command("check", "--config", path).stdout).groups()

    def assert_method(self, asked, used):
        """It is told, it is what the agent has loaded, and it counts what dd does."""
        self.assertIn(COSTS[used], self.check(asked)[1])
        with Cgroup("/plimsoll-test/dd") as cgroup, Agent(by_method(asked)) as agent:
            self.assertEqual(cgroup.spawn(["dd", "if=/dev/zero", "of=/dev/null", "bs=17", "count=1009",
                                           "status=none"]).wait(60 * SLOWNESS), 0)
            families = agent.metrics()
            self.assertEqual(families.value("plimsoll_probe_up", probe="io"), 1)
            self.assertEqual(families.by("method", "plimsoll_probe_info", probe="io"), {used: 1})
            self.assertEqual(AT_ALL_CALLS & set(programs_of(agent.pid)), AT_ALL_CALLS if used == "syscalls" else set())
            for direction in ("read", "write"):
                labels = {"id": cgroup.path, "class": "other", "direction": direction}
                self.assertEqual((families.value("container_io_operations_total", **labels),
                                  families.value("container_io_bytes_total", **labels)), (1009, 1009 * 17))

    def test_syscalls_works_on_every_kernel(self):
        self.assert_method("syscalls", "syscalls")

    def test_fentry_where_the_kernel_allows_it(self):
        verdict, why = self.check("fentry")
        if verdict != "ok":
            with Agent(by_method("fentry")) as agent:
                self.assertEqual(agent.value("plimsoll_probe_up", probe="io"), 0)
                self.assertIn(why.split(";")[0], agent.log())
            self.skipTest(why)
        self.assert_method("fentry", "fentry")

    def test_auto_is_the_first_that_works(self):
        self.assert_method("auto", "fentry" if self.check("fentry")[0] == "ok" else "syscalls")


if __name__ == "__main__":
    unittest.main()
