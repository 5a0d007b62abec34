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
_MAC = "02:00:00:00:%02x:%02x"
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
        """A veth pair to the other namespace: 10.234.NUMBER.1 on this side, .2 on that. The two know each other, so
        that nothing but what is sent goes through it."""
        self.ip("link", "add", name, "type", "veth", "peer", "name", other_name, "netns", other.name)
        for side, interface, me, you in ((self, name, 1, 2), (other, other_name, 2, 1)):
            side.ip("link", "set", interface, "address", _MAC % (number, me))
            side.ip("addr", "add", "10.234.%d.%d/24" % (number, me), "dev", interface)
            side.ip("link", "set", interface, "up")
            side.ip("neigh", "replace", "10.234.%d.%d" % (number, you), "lladdr", _MAC % (number, you), "dev", interface)

    def cable_to_host(self, number, name):
        """A veth pair to the machine's own namespace, where the interface has this name: 10.234.NUMBER.1 and
        fd00:234:NUMBER::1 there, .2 and ::2 on eth0 here. The two know each other, so that nothing but what is sent
        goes through it, unless IPv6 is turned on."""
        run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.name])
        undo = defer(lambda: run(["ip", "link", "del", name], check=False))
        for ip, sysctl, interface, me, you in ((_host_ip, run, name, 1, 2), (self.ip, self._exec, "eth0", 2, 1)):
            sysctl(["sysctl", "-q", "-w", "net.ipv6.conf.%s.disable_ipv6=1" % interface])
            ip("link", "set", interface, "address", _MAC % (number, me))
            ip("addr", "add", "10.234.%d.%d/24" % (number, me), "dev", interface)
            ip("link", "set", interface, "up")
            ip("neigh", "replace", "10.234.%d.%d" % (number, you), "lladdr", _MAC % (number, you), "dev", interface)
        return undo

    def add_ipv6(self, number, name):
        """To a cable_to_host()."""
        for ip, sysctl, interface, me in ((_host_ip, run, name, 1), (self.ip, self._exec, "eth0", 2)):
            sysctl(["sysctl", "-q", "-w", "net.ipv6.conf.%s.disable_ipv6=0" % interface])
            ip("addr", "add", "fd00:234:%d::%d/64" % (number, me), "dev", interface, "nodad")

    def _exec(self, argv):
        return self.run(*argv)

    def tcp_counters(self):
        """{name: value}, TCP's parts of /proc/net/snmp and netstat."""
        lines = [line.split() for line in self.run("cat", "/proc/net/snmp", "/proc/net/netstat").stdout.splitlines()]
        counters = {}
        for part in ("Tcp:", "TcpExt:"):
            names, values = (line[1:] for line in lines if line[0] == part)
            counters.update(zip(names, map(int, values)))
        return counters

    def tcp_segments_sent(self):
        """All that TCP sent in the namespace, those that were sent again too."""
        counters = self.tcp_counters()
        return counters["OutSegs"] + counters["RetransSegs"]

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


def _host_ip(*arguments):
    return run(["ip", *arguments])


def parse_net_dev(text):
    found = {}
    for line in text.splitlines()[2:]:
        name, _, numbers = line.rpartition(":")
        values = [int(number) for number in numbers.split()]
        found[name.strip()] = {column: values[at] for column, at in zip(COLUMNS, _AT)}
    return found
