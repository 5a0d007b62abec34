# SPDX-License-Identifier: Apache-2.0
"""More peers than a container's page shows, and than the kernel programs have accounts for."""

import unittest

from places import CONFIG, Place, peers
from test_peers import Asking
from testbed import entries, held_by, kernel_failures


class Many(Asking):
    CONFIG = {**CONFIG, "peers": {"max": 7}}

    def test_ten_thousand_connections_to_a_thousand_addresses(self):
        """Series are bounded, sums exact, and memory does not grow with them."""
        service = Place(self, "../plimsoll-test-outside")
        service.net.cable(self.client.net, 9, other_name="eth1")
        service.net.ip("route", "add", "local", "10.235.0.0/16", "dev", "lo")
        self.client.net.ip("route", "add", "10.235.0.0/16", "via", "10.234.9.1")
        self.serve("0.0.0.0", place=service)
        connect = """
import socket, sys
first = int(sys.argv[1])
for n in range(first, first + 1000):
    with socket.create_connection(("10.235.%d.%d" % (n // 250, n % 250 + 1), 7001)) as s:
        s.sendall(b"\\0")
        s.recv(101, socket.MSG_WAITALL)
"""
        def memory():
            with open("/proc/%d/status" % self.agent.pid, encoding="ascii") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        self.assertEqual(self.client.python(connect, 0), (0, ""))
        families, before = self.agent.metrics(), memory()
        for _ in range(9):
            self.assertEqual(self.client.python(connect, 0), (0, ""))
        for _ in range(3):
            families = self.agent.metrics()
        self.assertLess(memory() - before, 4096)
        self.assert_sums(families)
        bytes_read = peers(families, self.client, direction="read")
        self.assertEqual(len(bytes_read), 7 + 1)
        self.assertEqual(sum(bytes_read.values()), 10_000 * 101)
        self.assertEqual(families.sum("container_peer_connections_total", id=self.client.id), 10_000)

        # More than a container can have accounts in the kernel: the rest has one together.
        for first in (1000, 2000):
            self.assertEqual(self.client.python(connect, first), (0, ""))
        families = self.agent.metrics()
        self.assert_sums(families)
        bytes_read = peers(families, self.client, direction="read")
        self.assertEqual((len(bytes_read), sum(bytes_read.values())), (7 + 1, 12_000 * 101))
        accounts = entries(held_by(self.agent.pid))["peers"]
        self.assertTrue(1024 <= accounts < 1024 + 5, accounts)
        self.assertEqual(kernel_failures(families), {})


if __name__ == "__main__":
    unittest.main()
