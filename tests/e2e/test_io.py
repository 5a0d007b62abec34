# SPDX-License-Identifier: Apache-2.0
"""Bytes, operations and times of fio's jobs on a disk of its own, against what fio says of itself."""

import json
import math
import unittest

from testbed import Agent, Cgroup, LoopDisk, watching, workdir

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


def fio(cgroup, disk, options):
    """Runs a job in the cgroup; what fio measured of it."""
    result = workdir() + "/fio.json"
    job = ["fio", "--name=job", "--filename=" + disk.device, "--size=8M", "--bs=3k", "--thread=1",
           "--number_ios=%d" % OPERATIONS, "--output-format=json", "--output=" + result, *options]
    process = cgroup.spawn(job)
    code = process.wait(timeout=120)
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
        self.agent = self.enterContext(Agent(dict(watching("/plimsoll-test"), probes={"io": {"enabled": True}})))

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
        for name, direct in (("calls", "psync, direct"), ("requests", "io_uring, direct")):
            with self.subTest(name):
                container, truth, families = self.run_in_container(name, JOBS[direct])
                median_us = truth["read"]["clat_ns"]["percentile"]["50.000000"] / 1e3
                wanted = max(0, math.ceil(math.log2(median_us)))
                found = bucket_of_median(families, "container_io_seconds", id=container, direction="read",
                                         **{"class": "block"})
                print("    median of fio %.1f us (bucket %d), ours in bucket %d" % (median_us, wanted, found))
                self.assertLessEqual(abs(found - wanted), 1)


if __name__ == "__main__":
    unittest.main()
