# SPDX-License-Identifier: Apache-2.0
"""Each kind of wait, in real containers, against a workload that knows how long it waited."""

import os
import socket
import subprocess
import time
import unittest

from testbed import (Agent, Cgroup, DockerRuntime, PodmanRuntime, RuncRuntime, Truth, Waiter, measure, thread_seconds,
                     watching, workdir)

CONFIG = {"containers": {"discover": ["docker", "podman"], "cgroups": [{"path": "/plimsoll-test/*"}]}}
SECONDS = 0.3
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

    def test_waits_that_nobody_saw_end(self):
        """Where no program runs in the context of the sandbox's init, switches from it are unseen; orphans keep it busy."""
        orphans = subprocess.Popen(["bash", "-c", "while :; do ( (sleep 0.001 &) ); done"])
        self.addCleanup(orphans.wait)
        self.addCleanup(orphans.kill)
        with RuncRuntime() as runtime, Agent(CONFIG, [runtime]) as agent, Waiter(runtime, "waiter", workdir()) as waiter:
            for kind in ("fsync", "direct_read", "direct_read", "direct_read", "tcp_recv"):
                with self.subTest(kind):
                    measurement = measure(agent, waiter, kind, SECONDS)
                    self.assertEqual(measurement.problems(), [])
                    self.assertEqual(measurement.kind_problems(), [])


SERVER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
listener.close()
connection.recv(1)
"""
CLIENT = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("connected", flush=True)
connection.recv(1)
"""
SOCKET_WAITS = "container_socket_wait_seconds_total"


class Roles(unittest.TestCase):
    """Which end of a connection a thread waits at."""

    def start(self, cgroup, script, *arguments):
        process = cgroup.spawn(["python3", "-S", "-c", script, *arguments], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        return process.stdout

    def connect(self, name):
        """(server's cgroup, client's cgroup), both at rest in recv"""
        ends = [self.enterContext(Cgroup("/plimsoll-roles/%s-%s" % (name, end))) for end in ("server", "client")]
        port = self.start(ends[0], SERVER).readline().strip()
        self.assertEqual(self.start(ends[1], CLIENT, port).readline(), "connected\n")
        return ends

    def test_connections_of_any_age_have_their_end(self):
        self.enterContext(Cgroup("/plimsoll-roles"))
        listener = socket.create_server(("127.0.0.1", 0))  # still there when the agent comes
        self.addCleanup(listener.close)
        server, client = [self.enterContext(Cgroup("/plimsoll-roles/older-" + end)) for end in ("server", "client")]
        port = str(listener.getsockname()[1])
        self.assertEqual(self.start(client, CLIENT, port).readline(), "connected\n")
        accepted, _ = listener.accept()
        self.addCleanup(accepted.close)
        os.set_inheritable(accepted.fileno(), True)
        process = server.spawn(["python3", "-S", "-c", "import os; os.read(%d, 1)" % accepted.fileno()],
                               pass_fds=[accepted.fileno()])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        with Agent(watching("/plimsoll-roles")) as agent:
            pairs = {"older": (server, client), "newer": self.connect("newer")}
            for cgroup in (cgroup for pair in pairs.values() for cgroup in pair):
                agent.wait_value("container_thread_states", lambda threads: threads == 1, id=cgroup.path, state="socket")
            before = agent.metrics()
            time.sleep(SECONDS)
            after = agent.metrics()
            for age, ends in pairs.items():
                for cgroup, kind in zip(ends, ("tcp_server", "tcp_client")):
                    grown = {kind: after.value(SOCKET_WAITS, id=cgroup.path, kind=kind) - value
                             for kind, value in before.by("kind", SOCKET_WAITS, id=cgroup.path).items()}
                    self.assertGreaterEqual(grown.pop(kind), SECONDS, (age, kind))
                    self.assertEqual(set(grown.values()), {0}, (age, kind))


if __name__ == "__main__":
    unittest.main()
