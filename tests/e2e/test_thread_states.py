# SPDX-License-Identifier: Apache-2.0
"""Each kind of wait, in real containers, against a workload that knows how long it waited."""

import unittest

from testbed import Agent, DockerRuntime, PodmanRuntime, RuncRuntime, Truth, Waiter, measure, thread_seconds, workdir

CONFIG = {"containers": {"discover": ["docker", "podman"], "cgroups": [{"path": "/plimsoll-test/*"}]}}
SECONDS = 0.5
UNCONFINED = ("--security-opt", "seccomp=unconfined")  # their filters refuse io_uring and futex_waitv


class ThreadStates(unittest.TestCase):
    def check(self, runtime_class, **options):
        with runtime_class() as runtime, Agent(CONFIG, [runtime]) as agent:
            bystander = runtime.run("bystander", ["sleep", "1000"])
            with Waiter(runtime, "waiter", workdir(), **options) as waiter:
                before = thread_seconds(agent.metrics(), bystander)
                for kind in waiter.kinds():
                    with self.subTest(kind):
                        measurement = measure(agent, waiter, kind, SECONDS)
                        self.assertNotIsInstance(measurement, Truth, "it cannot be done here")
                        self.assertEqual(measurement.problems(), [])
                        self.assertEqual(measurement.kind_problems(), [])
                after = thread_seconds(agent.metrics(), bystander)
            self.assertGreater(after["sleep"] - before["sleep"], SECONDS)
            strange = {state: after[state] - before[state] for state in after
                       if state != "sleep" and after[state] - before[state] > 0.002}
            self.assertEqual(strange, {}, "the other container did not stay clean")

    def test_runc(self):
        self.check(RuncRuntime)

    def test_docker(self):
        self.check(DockerRuntime, options=UNCONFINED)

    def test_podman(self):
        self.check(PodmanRuntime, options=UNCONFINED)


if __name__ == "__main__":
    unittest.main()
