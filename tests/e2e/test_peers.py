# SPDX-License-Identifier: Apache-2.0
"""Who a container talks to and waits for, between containers in network namespaces of their own, against what the
programs themselves measure: probe="peer"."""

import os
import sys
import unittest

from places import CLIENT, CONFIG, SERVER, Between, Place, peers
from testbed import SLOWNESS, Agent, outside, wait_until, workdir

WAITS = "container_peer_wait_seconds_total"

# Answers a request of one byte, or as many times as asked, after the time that it names in hundredths of a second, with
# 101 bytes.
SERVE = """
import socket, sys, threading, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, dualstack_ipv6=sys.argv[1] == "::")
def answer(connection):
    while request := connection.recv(1):
        time.sleep(request[0] / 100)
        connection.sendall(b"x" * 101)
while True:
    threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()
"""

# Asks, waits for the answer in a way of its own, and says how long it waited in all. The answer is there when the wait
# ends, so that reading it waits for nothing.
ASK = """
import os, select, socket, sys, time
way, address, port, times, hundredths = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
own = (sys.argv[6], int(sys.argv[7])) if len(sys.argv) > 6 else None
connection = socket.create_connection((address, port), source_address=own)
more = [socket.socketpair() for _ in range(4)]
spare = os.eventfd(0) if hasattr(os, "eventfd") else os.pipe()[0]
poll, epoll = select.poll(), select.epoll()
for kind in (poll, epoll):
    kind.register(connection, select.POLLIN)
    kind.register(spare, select.POLLIN)
many = select.epoll()
for sock in (connection, *(pair[0] for pair in more)):
    many.register(sock, select.POLLIN)
several = select.poll()
for sock in (connection, more[0][0]):
    several.register(sock, select.POLLIN)
wait = {
    "recv": lambda: connection.recv(101, socket.MSG_WAITALL | socket.MSG_PEEK),
    "poll": poll.poll,
    "select": lambda: select.select([connection, spare], [], []),
    "epoll": epoll.poll,
    "many": many.poll,
    "several": several.poll,
}[way]
waited = 0
for _ in range(times):
    connection.sendall(bytes([hundredths]))
    began = time.monotonic()
    wait()
    waited += time.monotonic() - began
    assert len(connection.recv(101, socket.MSG_WAITALL)) == 101
print(waited)
"""

# Makes MPTCP's sockets of TCP's.
MPTCP = """
import socket
class Multipath(socket.socket):
    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        super().__init__(family, type, 262 if fileno is None and type == socket.SOCK_STREAM else proto, fileno)
socket.socket = Multipath
"""


class Asking(Between):
    def serve(self, address=SERVER, port=7001, place=None, script=SERVE):
        (place or self.server).serve(self, port, sys.executable, "-c", script, address, str(port))

    def ask(self, way, times=7, hundredths=10, address=SERVER, port=7001, place=None, script=ASK, own=()):
        status, output = (place or self.client).python(script, way, address, port, times, hundredths, *own)
        self.assertEqual(status, 0, output)
        return float(output)

    def assert_waited(self, families, place, peer, seconds):
        """Who has waited waits for a CPU after that, before it looks at its clock."""
        late = (families.value("container_thread_seconds_total", id=place.id, state="runnable")
                + families.value("container_cpu_stolen_seconds_total", id=place.id))
        allowed = 0.02 * SLOWNESS + seconds / 50
        self.assertEqual(outside(peers(families, place, WAITS).get(peer, 0), seconds - late, seconds, allowed), 0,
                         (seconds, late))


class Named(Asking):
    def test_each_way_to_wait_for_one_connection_counts_for_its_peer(self):
        self.serve()
        waited = 0
        for way in ("recv", "poll", "select", "epoll", "many"):
            with self.subTest(way):
                waited += self.ask(way)
                families = self.agent.metrics()
                self.assert_waited(families, self.client, "server", waited)
                self.assert_sums(families)
        self.assertEqual(peers(families, self.client, direction="write"), {"server": 5 * 7})
        self.assertEqual(peers(families, self.client, direction="read"), {"server": 5 * 7 * 101})
        self.assertEqual(peers(families, self.server, direction="write"), {":7001": 5 * 7 * 101})
        self.assertEqual(peers(families, self.server, direction="read"), {":7001": 5 * 7})
        for place, peer in ((self.client, "server"), (self.server, ":7001")):
            self.assertEqual(peers(families, place, "container_peer_connections_total"), {peer: 5})
        self.assertGreater(peers(families, self.server, WAITS)[":7001"], 0)

    def test_a_wait_for_several_that_does_not_tell_which_is_nobodys(self):
        self.serve()
        waited = self.ask("several")
        families = self.agent.metrics()
        self.assert_waited(families, self.client, "unattributed", waited)
        self.assert_sums(families)

    def test_what_was_shown_as_nobodys_stays_so(self):
        self.serve()
        process = self.client.start(sys.executable, "-c", ASK, "many", SERVER, "7001", "1", "250")
        wait_until(lambda: peers(self.agent.metrics(), self.client, WAITS).get("unattributed", 0) > 0.5, 20,
                   "an open wait")
        before = peers(self.agent.metrics(), self.client, WAITS)["unattributed"]
        waited = float(process.communicate(timeout=60 * SLOWNESS)[0])
        families = self.agent.metrics()
        after = peers(families, self.client, WAITS)
        self.assertGreaterEqual(after["unattributed"], before)
        self.assertAlmostEqual(after["unattributed"] + after["server"], waited, delta=0.02 * SLOWNESS + waited / 50)
        self.assertGreater(after["server"], 0.1)
        self.assert_sums(families)

    def test_both_address_families_and_a_mapped_address_are_the_same_container(self):
        for place, host in ((self.server, 1), (self.client, 2)):
            place.net.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.eth0.disable_ipv6=0")
            place.net.ip("addr", "add", "fd00:8::%d/64" % host, "dev", "eth0", "nodad")
        self.serve("::")
        for address in (SERVER, "::ffff:" + SERVER, "fd00:8::1"):
            self.ask("recv", 3, 1, address)
        families = self.agent.metrics()
        self.assertEqual(peers(families, self.client, direction="read"), {"server": 9 * 101})
        self.assertEqual(peers(families, self.server, direction="read"), {":7001": 9})
        self.assert_sums(families)

    def check_ends(self, waited, times):
        """Each end is what it is, in the kinds of waits, too."""
        families = self.agent.metrics()
        self.assert_waited(families, self.client, "server", waited)
        self.assert_sums(families)
        self.assertEqual(set(peers(families, self.server, WAITS)) - {"unattributed"}, {":7001"})
        self.assertEqual(peers(families, self.client, "container_peer_connections_total"), {"server": times})
        for place, other in ((self.client, "tcp_server"), (self.server, "tcp_client")):
            self.assertEqual(families.value("container_socket_wait_seconds_total", id=place.id, kind=other), 0)

    def test_a_client_that_chose_its_own_address_or_port_too_is_a_client(self):
        self.serve()
        waited = self.ask("recv", own=(CLIENT, 0)) + self.ask("epoll", own=(CLIENT, 0)) + self.ask("recv", own=(CLIENT, 7990))
        self.check_ends(waited, 3)

    def test_multipath_connections_have_their_ends(self):
        if self.client.python(MPTCP + "socket.socket(socket.AF_INET, socket.SOCK_STREAM)")[0] != 0:
            self.skipTest("the kernel has no MPTCP")
        self.serve(script=MPTCP + SERVE)
        self.check_ends(self.ask("recv", script=MPTCP + ASK) + self.ask("epoll", script=MPTCP + ASK), 2)

    def test_an_address_that_is_no_container_of_this_host(self):
        with_nobody = Place(self, "../plimsoll-test-outside")
        with_nobody.net.cable(self.client.net, 9, other_name="eth1")
        self.serve("10.234.9.1", 7002, with_nobody)
        self.ask("recv", 3, 1, "10.234.9.1", 7002)
        self.assertEqual(peers(self.agent.metrics(), self.client, direction="read"), {"10.234.9.1:7002": 3 * 101})

    def test_loopback_is_each_containers_own(self):
        for place, port, times in ((self.server, 7001, 3), (self.client, 7001, 5)):
            place.net.ip("link", "set", "lo", "up")
            self.serve("127.0.0.1", port, place)
            self.ask("recv", times, 1, "127.0.0.1", port, place)
        families = self.agent.metrics()
        self.assertEqual(peers(families, self.server, direction="read"), {":7001": 3, "server": 303})
        self.assertEqual(peers(families, self.client, direction="read"), {":7001": 5, "client": 505})

    def test_failed_and_broken_connections(self):
        self.serve()
        refused = "import socket, sys\ntry:\n socket.create_connection((sys.argv[1], int(sys.argv[2])))\nexcept OSError: pass"
        for _ in range(3):
            self.client.python(refused, SERVER, 7005)
        # closing with something unread, or without lingering, resets the connection
        reset = """
import socket, struct, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
connection.close()
"""
        for _ in range(2):
            self.client.python(reset, SERVER, 7001)
        def errors(place):
            return peers(self.agent.metrics(), place, "container_peer_errors_total")
        wait_until(lambda: errors(self.server) == {":7001": 2}, 10, "resets")
        self.assertEqual(errors(self.client), {SERVER + ":7005": 3})

    def test_datagrams(self):
        sink = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7003))
got = [s.recvfrom(2000) for _ in range(int(sys.argv[2]))]
s.sendto(b"x" * 11, got[0][1])
"""
        process = self.server.start(sys.executable, "-c", sink, SERVER, "20")
        wait_until(lambda: ":1B5B" in self.server.net.run("cat", "/proc/net/udp").stdout, 10, "a socket")
        status, output = self.client.python("""
import socket, sys
one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
one.connect((sys.argv[1], 7003))
for _ in range(13):
    one.send(b"x" * 17)
for _ in range(7):
    other.sendto(b"x" * 19, (sys.argv[1], 7003))
assert len(one.recv(100)) == 11
""", SERVER)
        self.assertEqual((status, output), (0, ""))
        process.communicate(timeout=20 * SLOWNESS)
        families = self.agent.metrics()
        self.assertEqual(peers(families, self.client, direction="write"),
                         {"server": 13 * 17, "unattributed": 7 * 19})
        self.assertEqual(peers(families, self.server, direction="read"), {":7003": 13 * 17 + 7 * 19})
        self.assertEqual(peers(families, self.server, direction="write"), {":7003": 11})
        self.assert_sums(families)

    NAMED = """
import os, socket, sys, time
name = sys.argv[2].replace("@", "\\0")
if sys.argv[1] == "serve":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    listener.listen()
    connection = listener.accept()[0]
    time.sleep(0.3)
    connection.sendall(b"x" * 23)
    connection.recv(10)
else:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(name)
    began = time.monotonic()
    connection.recv(100)
    print(time.monotonic() - began)
    connection.sendall(b"x" * 7)
"""

    def test_unix_sockets_by_their_names(self):
        for client, name in ((self.client, workdir() + "/the.sock"), (self.server, "@plimsoll-test")):
            with self.subTest(name):
                server = self.server.start(sys.executable, "-c", self.NAMED, "serve", name)
                wait_until(lambda name=name: name in self.server.net.run("cat", "/proc/net/unix").stdout, 10, name)
                status, output = client.python(self.NAMED, "ask", name)
                self.assertEqual(status, 0, output)
                server.communicate(timeout=20 * SLOWNESS)
                families = self.agent.metrics()
                self.assertEqual(peers(families, client, direction="read")["server:" + name], 23)
                self.assertEqual(peers(families, client, direction="write")["server:" + name], 7)
                self.assertEqual(peers(families, self.server, direction="read")[name], 7)
                self.assert_waited(families, client, "server:" + name, float(output))
                self.assert_sums(families)

    def test_fifos_by_their_paths(self):
        fifo = workdir() + "/the.fifo"
        os.mkfifo(fifo)
        writer = self.server.start("sh", "-c", "exec > %s; sleep 0.4; echo" % fifo)
        status, output = self.client.python("""
import sys, time
with open(sys.argv[1]) as fifo:
    began = time.monotonic()
    fifo.read(1)
    print(time.monotonic() - began)
""", fifo)
        self.assertEqual(status, 0, output)
        writer.communicate(timeout=20 * SLOWNESS)
        families = self.agent.metrics()
        waits = peers(families, self.client, WAITS)
        named = [name for name in waits if fifo.endswith(name) and name.endswith("/the.fifo")]
        self.assertEqual(len(named), 1, waits)
        self.assert_waited(families, self.client, named[0], float(output))

    def test_who_waits_since_before_the_agent_counts_from_its_start(self):
        self.agent.stop()
        self.serve()
        with Agent(CONFIG) as agent:
            wait_until(lambda: peers(agent.metrics(), self.server, WAITS).get(":7001", 0) > 0.5, 20, "a wait for clients")
            families = agent.metrics()
            self.assertLess(peers(families, self.server, WAITS).get("unattributed", 0), 0.001 * SLOWNESS)
            self.assert_sums(families)


class Configured(Asking):
    CONFIG = {**CONFIG, "peers": {"max": 3, "names": {SERVER + ":7001": "orders-db", ":7001": "orders"},
                                  "networks": [{"10.234.8.0/24": "internal"}]}}

    def test_names_and_networks(self):
        self.serve()
        self.ask("recv", 3, 1)
        refused = "import socket, sys\ntry:\n socket.create_connection((sys.argv[1], 7009))\nexcept OSError: pass"
        self.client.python(refused, SERVER)
        families = self.agent.metrics()
        self.assertEqual(peers(families, self.client, direction="read"), {"orders-db": 303})
        self.assertEqual(peers(families, self.server, direction="read"), {"orders": 3})
        self.assertEqual(peers(families, self.client, "container_peer_errors_total"), {"internal": 1})


if __name__ == "__main__":
    unittest.main()
