# SPDX-License-Identifier: Apache-2.0
"""Traffic between containers in network namespaces of their own, against what the programs themselves and the kernel
count: iperf3, lost packets, and connections that fail: probe="socket", probe="tcp"."""

import json
import unittest

from places import SERVER, Between
from testbed import SLOWNESS, CommandError, binary, wait_until


class Sockets(Between):
    def value(self, families, name, place, **labels):
        samples = families.samples(name, id=place.id, **labels)
        return sum(sample.value for sample in samples)

    def iperf(self, address, *options):
        self.server.serve(self, 5201, "iperf3", "--server", "--one-off")
        status, output = self.client.do("iperf3", "--json", "--client", address, *options)
        self.assertEqual(status, 0, output)
        self.rest()
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
            place.net.ip("addr", "add", "fd00:8::%d/64" % host, "dev", "eth0", "nodad")
        end, families = self.iperf("fd00:8::1", "-6", "--udp", "--time", "1", "--bitrate", "20M",
                                  "--length", "1009")
        packets = end["sum"]["packets"]
        self.assertGreater(packets, 1000 / SLOWNESS)
        # one small datagram each way makes the two known to each other
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "write", "operations"), packets + 1)
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "write"), packets * 1009 + 4)
        self.assertEqual(self.traffic(families, self.client, "udp", "client", "read"), 4)

    def test_retransmits_are_those_of_the_namespace(self):
        self.client.lose("tcp dport 5201 numgen inc mod 97 0")
        _, families = self.iperf(SERVER, "--bytes", "20M")
        again = self.client.segments_sent_again()
        self.assertGreater(again, 0)
        self.assertEqual(self.value(families, "container_tcp_retransmits_total", self.client), again)
        self.assertEqual(self.value(families, "container_tcp_retransmits_total", self.server),
                         self.server.segments_sent_again())

    def test_bytes_count_once_when_the_receivers_filter_loses_packets(self):
        for place in (self.server, self.client):
            place.net.run("iptables", "-A", "INPUT", "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability",
                          "0.03", "-j", "DROP")
        self.check_bytes_and_retransmits()

    def test_bytes_count_once_when_the_network_loses_packets(self):
        for place in (self.server, self.client):
            try:
                place.net.run("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", "3%")
            except CommandError as error:
                if "qdisc kind is unknown" in str(error):
                    self.skipTest("this kernel has no sch_netem")
                raise
        self.check_bytes_and_retransmits()

    def check_bytes_and_retransmits(self):
        count, size = 2003, 2003
        order = ["messages", str(count), str(size)]
        self.server.serve(self, 7001, binary("ringer"), "serve", SERVER, "7001", *order)
        status, output = self.client.do(binary("ringer"), "ask", SERVER, "7001", *order)
        self.assertEqual(status, 0, output)
        self.rest()
        families = self.agent.metrics()
        for place, role, written in ((self.server, "server", 2 * count * size), (self.client, "client", count * size)):
            for direction, moved in (("write", written), ("read", 3 * count * size - written)):
                self.assertEqual(self.traffic(families, place, "tcp", role, direction), moved)
            again = place.segments_sent_again()
            print("    %s: %d segments sent again" % (role, again))
            self.assertGreater(again, 0)
            self.assertEqual(self.value(families, "container_tcp_retransmits_total", place), again)

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
                         {"refused": 3, "timeout": 1, "unreachable": 2, "reset": 0, "other": 0})
        self.assertEqual(self.value(families, "container_tcp_resets_total", self.client, direction="received"), 3)
        self.assertEqual(self.value(families, "container_tcp_connections_opened_total", self.client), 0)
        self.assertEqual(self.value(families, "container_tcp_connections_failed_total", self.server), 0)


if __name__ == "__main__":
    unittest.main()
