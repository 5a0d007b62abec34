# SPDX-License-Identifier: Apache-2.0
"""Servers and their load generators in containers of their own: bytes, connections and peers of each side against what
both programs say of themselves: redis, nginx with wrk, and a program that does everything by io_uring."""

import re
import unittest

from places import CONFIG, SERVER, Between, peers
from testbed import SLOWNESS, binary, wait_until, workdir

PORT = 8080
NGINX = """daemon off; master_process off; pid %(dir)s/pid; error_log %(dir)s/error.log;
events { worker_connections 512; }
http {
    log_format bytes "$request_length $bytes_sent";
    access_log %(dir)s/access.log bytes;
    keepalive_requests 1000000000;
    client_body_temp_path %(dir)s; proxy_temp_path %(dir)s; fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s;
    scgi_temp_path %(dir)s;
    server { listen %(address)s:%(port)d; root %(dir)s; }
}
"""
# Says exactly what wrk otherwise rounds.
WRK = """
function done(summary)
    io.write(string.format("TOLD %d %d\\n", summary.requests, summary.bytes))
end
"""# The ways of tests/support/workloads/ringer.cpp.
RINGS = ("messages", "vectors", "files", "workers", "polled", "uncopied", "multishot")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Servers(Between):
    CONFIG = {**CONFIG, "probes": {"io": {"enabled": True}}}

    def both_ways(self, families):
        """Bytes of requests as (client wrote, server read), of answers as (server wrote, client read)."""
        return [tuple(self.traffic(families, place, "tcp", role, direction) for place, role, direction in sides)
                for sides in (((self.client, "client", "write"), (self.server, "server", "read")),
                              ((self.server, "server", "write"), (self.client, "client", "read")))]

    def assert_peers(self, families, port):
        """Each side's traffic and connections are with the other side alone, and nothing is missing."""
        for place, role, peer in ((self.client, "client", "server"), (self.server, "server", ":%d" % port)):
            for direction in ("read", "write"):
                self.assertEqual(peers(families, place, direction=direction),
                                 {peer: self.traffic(families, place, "tcp", role, direction)})
            opened = families.value("container_tcp_connections_opened_total", id=place.id, role=role)
            self.assertEqual(peers(families, place, "container_peer_connections_total"), {peer: opened})
        self.assert_sums(families)
        self.assert_calls(families)

    def assert_calls(self, families):
        """What went through sockets is what calls and requests moved, as another probe counts them."""
        for place in (self.server, self.client):
            for direction in ("read", "write"):
                moved = families.sum("container_io_bytes_total", id=place.id, direction=direction, **{"class": "inet"})
                self.assertEqual(moved, families.sum("container_socket_bytes_total", id=place.id, direction=direction,
                                                     protocol="tcp"), (place.id, direction))

    def assert_opened(self, families):
        """As the kernel counts in each namespace."""
        counted = {self.client: {"client": self.client.net.tcp_counters()["ActiveOpens"], "server": 0},
                   self.server: {"client": 0, "server": self.server.net.tcp_counters()["PassiveOpens"]}}
        for place, opened in counted.items():
            self.assertEqual(families.by("role", "container_tcp_connections_opened_total", id=place.id), opened)
        self.assertEqual(counted[self.client]["client"], counted[self.server]["server"])

    def test_redis(self):
        self.server.serve(self, 6379, "redis-server", "--bind", SERVER, "--save", "", "--protected-mode", "no")
        status, output = self.client.do("redis-benchmark", "-h", SERVER, "-t", "set,get", "-n", "10007", "-c", "7", "-q")
        self.assertEqual(status, 0, output)
        status, info = self.client.do("redis-cli", "-h", SERVER, "INFO", "stats")
        self.assertEqual(status, 0, info)
        stats = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        families = self.agent.metrics()
        received, sent = int(stats["total_net_input_bytes"]), int(stats["total_net_output_bytes"])
        self.assertGreater(received, 2 * 10007 * 20)
        requests, answers = self.both_ways(families)
        self.assertEqual(requests, (received, received))
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(0 < answers[0] - sent - len(info) < 200, (answers, sent))  # of INFO itself
        for role in ("client", "none"):
            self.assertEqual(self.traffic(families, self.server, "tcp", role, "read"), 0)
        self.assertEqual(families.sum("container_tcp_connections_opened_total", id=self.server.id),
                         int(stats["total_connections_received"]))
        self.assert_opened(families)
        self.assert_peers(families, 6379)
        self.assertEqual(families.value("container_tcp_connections", id=self.server.id, state="listen"), 1)

    def start_nginx(self):
        """With a page of a prime size; the directory with its log."""
        directory = workdir()
        write(directory + "/index.html", "x" * 4099)
        write(directory + "/nginx.conf", NGINX % {"dir": directory, "address": SERVER, "port": PORT})
        write(directory + "/told.lua", WRK)
        self.server.serve(self, PORT, "nginx", "-c", directory + "/nginx.conf", "-e", directory + "/error.log")
        return directory

    def logged(self, directory):
        """(bytes of the request, bytes of the answer) of each."""
        with open(directory + "/access.log", encoding="utf-8") as lines:
            return [tuple(map(int, line.split())) for line in lines]

    def test_nginx_and_wrk(self):
        directory, connections = self.start_nginx(), 7
        url = "http://%s:%d/" % (SERVER, PORT)
        status, output = self.client.do("curl", "-s", "-o", "/dev/null", "-w", "%{size_header} %{size_download}", url)
        self.assertEqual(status, 0, output)
        answer = sum(map(int, output.split()))
        status, output = self.client.do("wrk", "--threads", "1", "--connections", str(connections), "--duration", "1s",
                                        "--script", directory + "/told.lua", url)
        self.assertEqual(status, 0, output)
        completed, read = map(int, re.search(r"TOLD (\d+) (\d+)", output).groups())
        wait_until(lambda: self.server.connected() == 0, 10, "the end of all connections")
        families = self.agent.metrics()
        logged = self.logged(directory)
        requests, answers = self.both_ways(families)
        self.assertEqual(requests, (sum(length for length, _ in logged),) * 2)
        self.assertEqual(answers, (sum(length for _, length in logged), answer + read))
        # what was under way when wrk stopped, at most one request for each connection
        self.assertTrue(0 <= read - completed * answer < connections * answer, (read, completed, answer))
        self.assertTrue(0 <= len(logged) - 1 - completed <= connections, (len(logged), completed))
        self.assertGreater(completed, 10 * connections / SLOWNESS)  # that there was work
        print("    %d requests of wrk, %d of nginx, %d bytes each" % (completed, len(logged) - 1, answer))
        self.assert_opened(families)
        self.assert_peers(families, PORT)

    def test_all_by_io_uring(self):
        count, size = 1009, 101
        before = self.agent.metrics()
        for number, way in enumerate(RINGS, 1):
            with self.subTest(way):
                order = [way, str(count), str(size)]
                server = self.server.serve(self, PORT, binary("ringer"), "serve", SERVER, str(PORT), *order)
                status, told = self.client.do(binary("ringer"), "ask", SERVER, str(PORT), *order)
                self.assertEqual(status, 0, told)
                asked = list(map(int, told.split()))
                answered = list(map(int, server.communicate(timeout=30 * SLOWNESS)[0].split()))
                self.assertEqual((asked[0], asked[2]), (count * size, count * 2 * size))
                families = self.agent.metrics()
                for place, role, moved in ((self.client, "client", asked), (self.server, "server", answered)):
                    grown = [self.traffic(families, place, "tcp", role, direction, what) -
                             self.traffic(before, place, "tcp", role, direction, what)
                             for direction in ("write", "read") for what in ("bytes", "operations")]
                    self.assertEqual(grown, moved, role)
                before = families
                self.assert_opened(families)
                self.assert_peers(families, PORT)
                self.assertEqual(families.sum("container_tcp_connections_opened_total", id=self.server.id), number)


if __name__ == "__main__":
    unittest.main()
