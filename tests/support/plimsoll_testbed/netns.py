# SPDX-License-Identifier: Apache-2.0
"""Network namespaces of the test's own: a pair with one cable between them, and traffic that stays inside."""

import itertools
import os
import sys

from .cleanup import defer
from .shell import run

COLUMNS = ("receive_bytes", "receive_packets", "receive_errors", "receive_packets_dropped",
           "transmit_bytes", "transmit_packets", "transmit_errors", "transmit_packets_dropped")
_AT = (0, 1, 2, 3, 8, 9, 10, 11)
_numbers = itertools.count()
_SEND = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    sender.sendto(bytes(int(sys.argv[3])), (sys.argv[1], 9))
"""


class Netns:
    """A named namespace; removed at exit."""

    def __init__(self):
        self.name = "plimsoll-%d-%d" % (os.getpid(), next(_numbers))
        self.path = "/run/netns/" + self.name
        run(["ip", "netns", "add", self.name])
        self._undo = defer(self.remove)
        # IPv6 sends of its own accord; without it counters stand still when nobody sends.
        self.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.ip("link", "set", "lo", "up")

    def run(self, *argv):
        return run(["ip", "netns", "exec", self.name, *argv])

    def ip(self, *arguments):
        return run(["ip", "-n", self.name, *arguments])

    def cable(self, other, number, name="eth0", other_name="eth0"):
        """A veth pair to the other namespace: 10.234.NUMBER.1 on this side, .2 on that."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", other_name, "netns", other.name)
        for side, interface, host in ((self, name, 1), (other, other_name, 2)):
            side.ip("addr", "add", "10.234.%d.%d/24" % (number, host), "dev", interface)
            side.ip("link", "set", interface, "up")

    def send(self, address, count, size=100):
        """So many datagrams, each of which is answered by an ICMP message as long as the kernel feels like it."""
        self.run(sys.executable, "-c", _SEND, address, count, size)

    def counters(self):
        """{interface: {column: value}} as the kernel says."""
        return parse_net_dev(self.run("cat", "/proc/net/dev").stdout)

    def interfaces(self):
        return set(self.counters())

    def unname(self):
        """Takes its name away: it ends when its last user does."""
        run(["ip", "netns", "del", self.name])
        self._undo.cancel()

    def remove(self):
        self._undo.cancel()
        run(["ip", "netns", "del", self.name], check=False)


def parse_net_dev(text):
    found = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.rpartition(":")
        values = [int(number) for number in numbers.split()]
        found[name.strip()] = {column: values[at] for column, at in zip(COLUMNS, _AT)}
    return found
