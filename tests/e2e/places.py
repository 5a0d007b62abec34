# SPDX-License-Identifier: Apache-2.0
"""Containers with network namespaces of their own, for tests of what goes on between them."""

import subprocess
import sys
import unittest

from testbed import SLOWNESS, Agent, Cgroup, Netns, wait_until, watching

PREFIX = "/plimsoll-test"
CONFIG = watching(PREFIX)
SERVER, CLIENT = "10.234.8.1", "10.234.8.2"


class Place:
    """A container's cgroup and network namespace."""

    def __init__(self, case, name):
        self.cgroup = Cgroup("%s/%s" % (PREFIX, name)).create()
        case.addCleanup(self.cgroup.remove)
        self.net = Netns()
        case.addCleanup(self.net.remove)
        self.id = self.cgroup.path

    def start(self, *argv):
        return self.cgroup.spawn(["nsenter", "--net=" + self.net.path, *argv], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)

    def do(self, *argv):
        """Runs it to its end; what it wrote."""
        process = self.start(*argv)
        output = process.communicate(timeout=60 * SLOWNESS)[0]
        return process.returncode, output

    def python(self, script, *arguments):
        return self.do(sys.executable, "-c", script, *map(str, arguments))

    def lose(self, rule):
        """Packets that it sends and that nft's rule picks never arrive."""
        for order in ("add table inet loss", "add chain inet loss out { type filter hook output priority 0; }",
                      "add rule inet loss out %s drop" % rule):
            self.net.run("nft", order)

    def segments_sent_again(self):
        return self.net.tcp_counters()["RetransSegs"]

    def serve(self, case, port, *argv):
        """Starts it and waits until it listens at that port; the test's end ends it at the latest."""
        process = self.start(*argv)
        case.addCleanup(process.stdout.close)
        case.addCleanup(process.wait)
        case.addCleanup(process.kill)
        listening = (":%04X" % port, "0A")
        wait_until(lambda: any((row[1][-5:], row[3]) == listening for row in self.tcp_rows()), 10,
                   "%s at port %d" % (argv[0], port))
        return process

    def tcp_rows(self):
        """The kernel's table: number, own address, the other's, state, …"""
        return [row.split() for name in ("tcp", "tcp6")
                for row in self.net.run("cat", "/proc/net/" + name).stdout.splitlines()[1:]]

    def connected(self):
        """How many of its connections have not ended."""
        return sum(row[3] not in ("06", "07", "0A") for row in self.tcp_rows())


def peers(families, place, name="container_peer_bytes_total", **labels):
    """{peer: value}"""
    return families.by("peer", name, id=place.id, **labels)


class Between(unittest.TestCase):
    """Two containers with a cable between them."""
    CONFIG = CONFIG

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(Cgroup(PREFIX).create().remove)

    def setUp(self):
        self.server, self.client = Place(self, "server"), Place(self, "client")
        self.server.net.cable(self.client.net, 8)
        self.agent = self.watch()

    def watch(self):
        """The agent that watches the two."""
        return self.enterContext(Agent(self.CONFIG))

    def rest(self):
        """Until all connections have ended, and with them what is sent again."""
        for place in (self.server, self.client):
            wait_until(lambda place=place: place.connected() == 0, 60, "the last packet")

    def traffic(self, families, place, protocol, role, direction, what="bytes"):
        return families.sum("container_socket_%s_total" % what, id=place.id, protocol=protocol, role=role,
                            direction=direction)

    def assert_sums(self, families):
        """What peers have adds up to what there is."""
        for place in (self.server, self.client):
            for direction in ("read", "write"):
                self.assertEqual(families.sum("container_peer_bytes_total", id=place.id, direction=direction),
                                 families.sum("container_socket_bytes_total", id=place.id, direction=direction))
            self.assertEqual(families.sum("container_peer_connections_total", id=place.id),
                             families.sum("container_tcp_connections_opened_total", id=place.id))
            states = families.by("state", "container_thread_seconds_total", id=place.id)
            waited = states["socket"] + states["unix"] + states["poll"]
            self.assertAlmostEqual(families.sum("container_peer_wait_seconds_total", id=place.id), waited,
                                   delta=0.002 * SLOWNESS, msg=place.id)
