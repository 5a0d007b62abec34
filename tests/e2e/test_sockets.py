# SPDX-License-Identifier: Apache-2.0
"""Traffic between containers in network namespaces of their own, against what the programs themselves and the kernel
count: redis, iperf3, lost packets, and connections that fail: probe="socket", probe="tcp"."""

import json
import subprocess
import sys
import unittest

from testbed import Agent, Cgroup, Netns, wait_until

PREFIX = "/plimsoll-test"
CONFIG = {"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/*"}]}}
SERVER, CLIENT = "10.234.7.1", "10.234.7.2"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


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
        output = process.communicate(timeout=60)[0]
        return process.returncode, output

    def python(self, script, *arguments):
        return self.do(sys.executable, "-c", script, *map(str, arguments))

    def segments_sent_again(self):
        lines = [line.split() for line in self.net.run("cat", "/proc/net/snmp").stdout.splitlines()]
        names, values = (line for line in lines if line[0] == "Tcp:")
        return int(dict(zip(names, values))["RetransSegs"])


class Sockets(unittest.TestCase):
    def setUp(self):
        self.server, self.client = Place(self, "server"), Place(self, "client")
        self.server.net.cable(self.client.net, 7)
        self.agent = self.enterContext(Agent(CONFIG))

    def serve(self, port, *argv):
        process = self.server.start(*argv)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        listening = ":%04X" % port

        def ready():
            rows = [row.split() for name in ("tcp", "tcp6")
                    for row in self.server.net.run("cat", "/proc/net/" + name).stdout.splitlines()[1:]]
            return any(row[1].endswith(listening) and row[3] == "0A" for row in rows)
        wait_until(ready, 10, "%s at port %d" % (argv[0], port))

    def value(self, families, name, place, **labels):
        samples = families.samples(name, id=place.id, **labels)
        return sum(sample.value for sample in samples)

    def traffic(self, families, place, protocol, role, direction, what="bytes"):
        return self.value(families, "container_socket_%s_total" % what, place, protocol=protocol, role=role,
                          direction=direction)

    def test_redis_counts_the_same_bytes(self):
        self.serve(6379, "redis-server", "--bind", SERVER, "--save", "", "--protected-mode", "no")
        status, output = self.client.do("redis-benchmark", "-h", SERVER, "-t", "set,get", "-n", "10007", "-c", "7", "-q")
        self.assertEqual(status, 0, output)
        status, info = self.client.do("redis-cli", "-h", SERVER, "INFO", "stats")
        self.assertEqual(status, 0, info)
        stats = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        families = self.agent.metrics()
        received, sent = int(stats["total_net_input_bytes"]), int(stats["total_net_output_bytes"])
        self.assertGreater(received, 2 * 10007 * 20)
        self.assertEqual(self.traffic(families, self.server, "tcp", "server", "read"), received)
        self.assertEqual(self.traffic(families, self.client, "tcp", "client", "write"), received)
        answer = self.traffic(families, self.server, "tcp", "server", "write") - sent  # of INFO itself
        self.assertTrue(0 < answer - len(info) < 200, answer)
        self.assertEqual(self.traffic(families, self.client, "tcp", "client", "read"), sent + answer)
        for role in ("client", "none"):
            self.assertEqual(self.traffic(families, self.server, "tcp", role, "read"), 0)
        opened = int(stats["total_connections_received"])
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.server, role="server"),
                         opened)
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.client, role="client"),
                         opened)
        self.assertEqual(self.value(families, "container_tcp_connections", self.server, state="listen"), 1)

    def iperf(self, address, *options):
        self.serve(5201, "iperf3", "--server", "--one-off")
        status, output = self.client.do("iperf3", "--json", "--client", address, *options)
        self.assertEqual(status, 0, output)
        return json.loads(output)["end"], self.agent.metrics()

    def test_iperf3_over_tcp_counts_the_same_bytes(self):
        end, families = self.iperf(SERVER, "--time", "1")
        # beside the data there is a connection on which the two agree about the test and tell results
        sent = self.traffic(families, self.client, "tcp", "client", "write") - end["sum_sent"]["bytes"]
        self.assertTrue(0 < sent < 16384, sent)
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.client), 2)
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.server), 2)
        self.assertEqual(self.value(families, "container_tcp_retransmits_total", self.client),
                         self.client.segments_sent_again())

    def test_iperf3_over_udp_and_ipv6_counts_the_same_datagrams(self):
        for place, host in ((self.server, 1), (self.client, 2)):
            place.net.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.eth0.disable_ipv6=0")
            place.net.ip("addr", "add", "fd00:7::%d/64" % host, "dev", "eth0", "nodad")
        end, families = self.iperf("fd00:7::1", "-6", "--udp", "--time", "1", "--bitrate", "20M",
                                  "--length", "1009")
        packets = end["sum"]["packets"]
        self.assertGreater(packets, 1000)
        # one small datagram each way makes the two known to each other
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "write", "operations"), packets + 1)
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "write"), packets * 1009 + 4)
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "read"), 4)

    def test_retransmits_are_those_of_the_namespace(self):
        nft = self.client.net.run
        nft("nft", "add table inet loss")
        nft("nft", "add chain inet loss out { type filter hook output priority 0; }")
        nft("nft", "add rule inet loss out tcp dport 5201 numgen inc mod 97 0 drop")
        _, families = self.iperf(SERVER, "--bytes", "20M")
        again = self.client.segments_sent_again()
        self.assertGreater(again, 0)
        self.assertEqual(self.value(families, "container_tcp_retransmits_total", self.client), again)
        self.assertEqual(self.value(families, "container_tcp_retransmits_total", self.server),
                         self.server.segments_sent_again())

    CONNECT = """
import errno, socket, sys
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
except OSError as error:
    print(errno.errorcode[error.errno])
"""

    def test_failed_connections_by_reason(self):
        filters = [("INPUT", "-p", "tcp", "--dport", "81", "-j", "DROP"),
                   ("INPUT", "-p", "tcp", "--dport", "82", "-j", "REJECT", "--reject-with", "icmp-host-unreachable")]
        for rule in filters:
            self.server.net.run("iptables", "-A", *rule)
        for times, port, error in ((3, 80, "ECONNREFUSED"), (1, 81, "ETIMEDOUT"), (2, 82, "EHOSTUNREACH")):
            for _ in range(times):
                self.assertEqual(self.client.python(self.CONNECT, SERVER, port), (0, error + "\n"))
        families = self.agent.metrics()
        self.assertEqual(families.by("reason", "container_tcp_connections_failed_total", id=self.client.id, role="client"),
                         {"refused": 3, "timeout": 1, "unreachable": 2})
        self.assertEqual(self.value(families, "container_tcp_resets_total", self.client, direction="received"), 3)
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.client), 0)
        self.assertEqual(self.value(families, "container_tcp_connections_failed_total", self.server), 0)


if __name__ == "__main__":
    unittest.main()
