# SPDX-License-Identifier: Apache-2.0
"""How long things of known length take: connections from their beginning to their end, and waits, each once."""

import sys
import time
import unittest

from places import SERVER, Between
from testbed import SLOWNESS, command, outside, wait_until

CONNECT = """
import socket, sys, time
begin = time.monotonic()
with socket.create_connection((sys.argv[1], 7001)) as connection:
    connected = time.monotonic()
    time.sleep(0.3)
    connection.recv(1)
    rtt_us = int.from_bytes(connection.getsockopt(socket.IPPROTO_TCP, 11, 104)[68:72], "little")  # tcpi_rtt
    end = time.monotonic()
print(connected - begin, end - connected, rtt_us / 1e6, time.monotonic() - begin)
"""

# Accepts late, and ends last.
SERVE = """
import select, socket, sys, time
with socket.create_server((sys.argv[1], 7001)) as listener:
    while True:
        select.select([listener], [], [])
        time.sleep(0.2)
        connection, _ = listener.accept()
        connection.send(b"1")
        connection.recv(1)
        connection.close()
"""

PING = """
import os, sys, time
begin = time.monotonic()
for _ in range(int(sys.argv[1])):
    os.write(1, b"1")
    os.read(0, 1)
print(time.monotonic() - begin, file=sys.stderr)
"""


def state(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
        return stat.read().rpartition(")")[2].split()[0]


class Tcp(Between):
    def histogram(self, families, place, name, **labels):
        """(number, sum, the bucket's bound of the largest)"""
        name = "container_tcp_" + name
        buckets = sorted((float(sample.labels["le"]), sample.value)
                         for sample in families.samples(name + "_bucket", id=place.id, **labels))
        number = families.value(name + "_count", id=place.id, **labels)
        return number, families.value(name + "_sum", id=place.id, **labels), next(
            bound for bound, count in buckets if count == number)

    def test_a_connection_whose_first_packet_is_lost(self):
        """The kernel sends it again after a second."""
        self.server.serve(self, 7001, sys.executable, "-c", SERVE, SERVER)
        self.client.lose("tcp dport 7001 tcp flags & (syn|ack) == syn numgen inc mod 2 0")
        status, output = self.client.python(CONNECT, SERVER)
        self.assertEqual(status, 0, output)
        connected, lasted, rtt, whole = map(float, output.split())
        self.rest()
        families = self.agent.metrics()
        number, seconds, bound = self.histogram(families, self.client, "connect_seconds")
        print("    connect %.4f of %.4f s" % (seconds, connected))
        self.assertEqual(number, 1)
        self.assertTrue(1 <= seconds <= connected, (seconds, connected))
        self.assertTrue(seconds <= bound <= 2 * max(seconds, 1.05))

        number, seconds, _ = self.histogram(families, self.client, "connection_seconds", role="client")
        print("    connection %.4f of %.4f s" % (seconds, lasted))
        self.assertEqual(number, 1)
        self.assertEqual(outside(seconds, 0.3, whole, 0.001), 0)
        number, served, _ = self.histogram(families, self.server, "connection_seconds", role="server")
        self.assertEqual(number, 1)
        self.assertEqual(outside(served, 0.3, whole, 0.01 * SLOWNESS), 0)

        number, seconds, _ = self.histogram(families, self.client, "rtt_seconds", role="client")
        print("    twice the round trip %.6f s, by the socket %.6f s" % (seconds, rtt))
        self.assertEqual(number, 2)  # as it begins and as it ends; in between nothing was sent that was acknowledged
        self.assertAlmostEqual(seconds, 2 * rtt, delta=2e-6)
        if "fexit" in command("check").stdout:
            number, seconds, _ = self.histogram(families, self.server, "accept_seconds")
            self.assertEqual(number, 1)
            self.assertTrue(0.2 <= seconds <= whole, (seconds, whole))
        else:
            self.assertNotIn("container_tcp_accept_seconds", families)


class Waits(Between):
    def test_each_wait_for_a_pipe_counts_once(self):
        times, pause = 23, 0.02
        before = self.agent.metrics()
        self.assertEqual(before.samples("container_wait_seconds_count", id=self.client.id, state="pipe"), [])
        process = self.client.cgroup.spawn([sys.executable, "-S", "-c", PING, str(times)], stdin=-1, stdout=-1, stderr=-1)
        for _ in range(times):
            self.assertEqual(process.stdout.read(1), b"1")
            wait_until(lambda: state(process.pid) == "S", what="its wait")
            time.sleep(pause)
            process.stdin.write(b"1")
            process.stdin.flush()
        whole = float(process.communicate(timeout=20 * SLOWNESS)[1])
        families = self.agent.metrics()
        waited = families.value("container_wait_seconds_sum", id=self.client.id, state="pipe")
        print("    %.4f of %.4f s" % (waited, whole))
        self.assertEqual(families.value("container_wait_seconds_count", id=self.client.id, state="pipe"), times)
        self.assertAlmostEqual(waited, families.value("container_thread_seconds_total", id=self.client.id, state="pipe"),
                               delta=1e-6)
        self.assertTrue(times * pause <= waited <= whole, (waited, whole))
        shorter = families.value("container_wait_seconds_bucket", id=self.client.id, state="pipe", le="0.016384")
        self.assertEqual(shorter, 0)


if __name__ == "__main__":
    unittest.main()
