# SPDX-License-Identifier: Apache-2.0
"""Connections that are open, in each state that one can be in, against what ss tells of each socket at the same moment."""

import collections
import re
import sys
import unittest

from places import SERVER, Between
from testbed import Agent, wait_until

# Of ports: what arrives there is accepted and done as the client says; the client's FIN never arrives; the server's
# never arrives; nothing is accepted; not even a SYN arrives.
PLAIN, NO_FIN, NO_ANSWER, UNACCEPTED, SILENT = range(7001, 7006)
STATES = {"ESTAB": "established", "SYN-SENT": "syn_sent", "SYN-RECV": "syn_recv", "FIN-WAIT-1": "fin_wait1",
          "FIN-WAIT-2": "fin_wait2", "CLOSE-WAIT": "close_wait", "LAST-ACK": "last_ack", "LISTEN": "listen",
          "CLOSING": "closing"}

# The client says first how many bytes it sends, how many of them to read, how many to answer with, and what to do then.
SERVE = """
import select, socket, struct, sys
listeners = [socket.create_server((sys.argv[1], int(port))) for port in sys.argv[2:]]
def receive(connection, size):
    while size:
        size -= len(connection.recv(min(size, 65536)))
connections = []
while True:
    for listener in select.select(listeners[:-1], [], [])[0]:
        connection = listener.accept()[0]
        connections.append(connection)
        read, answer, end = struct.unpack("!IIc", connection.recv(9, socket.MSG_WAITALL))
        receive(connection, read)
        connection.sendall(b"x" * answer)
        if end == b"e":
            connection.shutdown(socket.SHUT_WR)
"""
USE = """
import select, signal, socket, struct, sys
server, plain, no_fin, no_answer, unaccepted, silent = sys.argv[1], *map(int, sys.argv[2:])
connections = []
def use(port, write, read, answer, take, end=b"-", ends=False):
    connection = socket.create_connection((server, port))
    connections.append(connection)
    connection.sendall(struct.pack("!IIc", read, answer, end) + b"x" * write)
    if answer:
        select.select([connection], [], [])
    while take:
        take -= len(connection.recv(take))
    if ends:
        connection.shutdown(socket.SHUT_WR)
for i in range(7):
    use(plain, 1009 * i, 1009 * i, 211 * i, 211 * i)
for i in range(5):
    use(plain, 503, 491 - i, 101, 89 + i)  # both sides leave something unread
use(plain, 8_000_003, 8_000_003, 17, 17)
for _ in range(3):
    use(plain, 23, 23, 29, 29, ends=True)
for _ in range(2):
    use(plain, 31, 31, 37, 37, b"e")
for _ in range(4):
    use(no_fin, 41, 41, 43, 43, ends=True)
use(no_fin, 47, 47, 53, 53, b"e", True)
for _ in range(2):
    use(no_answer, 59, 59, 61, 61, b"e", True)
for _ in range(3):
    connections.append(socket.create_connection((server, unaccepted)))
full = connections[-1]
full.setblocking(False)
try:
    while True:
        full.send(b"x" * 10007)
except BlockingIOError:
    pass
for _ in range(2):
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex((server, silent))
    connections.append(connection)
print("ready", flush=True)
signal.pause()
"""


class Socket:
    """A line of `ss -tianHO`."""

    def __init__(self, line):
        state, unread, _, own, self.other, *_ = line.split()
        numbers = dict(re.findall(r"(bytes_sent|bytes_retrans|bytes_received|notsent):(\d+)", line))
        numbers = collections.defaultdict(int, {name: int(value) for name, value in numbers.items()})
        self.state = STATES.get(state)
        self.role = "server" if PLAIN <= int(own.rpartition(":")[2]) <= SILENT else "client"
        self.written = numbers["bytes_sent"] - numbers["bytes_retrans"] + numbers["notsent"]
        # A FIN counts as a byte, and as read together with the last byte before it or when the end is read.
        unread = max(int(unread), self.state in ("close_wait", "last_ack", "closing"))
        self.read = 0 if self.state == "listen" else numbers["bytes_received"] - unread
        self.sent_again = int((re.findall(r" retrans:\d+/(\d+)", line) or [0])[0])


def sockets(place):
    """Those that the container still has."""
    lines = place.net.run("ss", "-tianHO").stdout.splitlines()
    return [one for one in map(Socket, lines) if one.state]


def told(place):
    """What ss tells of them all: by state, by direction, and how many segments were sent again."""
    found = sockets(place)
    not_sent = place.net.tcp_counters()["TCPRetransFail"]  # tried, and refused by the network's queues
    [role] = {one.role for one in found}
    return {"states": dict(collections.Counter(one.state for one in found)),
            "bytes": {(role, "write"): sum(one.written for one in found), (role, "read"): sum(one.read for one in found)},
            "sent again": sum(one.sent_again for one in found) - not_sent}


def counted(families, place):
    """The same as the agent has it."""
    states = families.by("state", "container_tcp_connections", id=place.id)
    traffic = families.samples("container_socket_bytes_total", id=place.id, protocol="tcp")
    return {"states": {state: count for state, count in states.items() if count},
            "bytes": {(one.labels["role"], one.labels["direction"]): one.value for one in traffic if one.value},
            "sent again": families.value("container_tcp_retransmits_total", id=place.id)}


class OpenConnections(Between):
    maxDiff = None

    def start_all(self):
        fin = ("--tcp-flags", "FIN", "FIN")
        some = ("-m", "length", "--length", "1000:", "-m", "statistic", "--mode", "nth", "--every", "97", "--packet", "0")
        for place, side, port, *which in ((self.server, "--dport", NO_FIN, *fin), (self.client, "--sport", NO_ANSWER, *fin),
                                          (self.server, "--dport", SILENT), (self.server, "--dport", PLAIN, *some)):
            place.net.run("iptables", "-A", "INPUT", "-p", "tcp", side, str(port), *which, "-j", "DROP")
        self.server.serve(self, UNACCEPTED, sys.executable, "-c", SERVE, SERVER, *map(str, range(PLAIN, SILENT)))
        client = self.client.start(sys.executable, "-c", USE, SERVER, *map(str, range(PLAIN, SILENT + 1)))
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        self.assertEqual(client.stdout.readline(), "ready\n")

    def at_rest(self, agent):
        """A scrape during which nothing happened, after both had to send something again, and what ss told."""
        def look():
            before = told(self.server), told(self.client)
            families = agent.metrics()
            rest = before == (told(self.server), told(self.client)) and all(one["sent again"] for one in before)
            return (families, *before) if rest else None
        # in slowly growing intervals packets are sent again that never arrive
        return wait_until(look, 60, "a scrape between two packets")

    def test_bytes_states_and_retransmits_are_those_of_the_sockets(self):
        self.start_all()
        families, server, client = self.at_rest(self.agent)
        print("    server: %s\n    client: %s" % (server, client))
        self.assertEqual(counted(families, self.server), server)
        self.assertEqual(counted(families, self.client), client)
        self.assertLessEqual({"syn_sent", "established", "fin_wait1", "fin_wait2", "close_wait"}, set(client["states"]))
        self.assertLessEqual({"listen", "established", "fin_wait2", "close_wait"}, set(server["states"]))
        self.assertTrue({"closing", "last_ack"} & set(server["states"]), server)
        opened = "container_tcp_connections_opened_total"
        self.assertEqual(families.value(opened, id=self.server.id, role="server"),
                         self.server.net.tcp_counters()["PassiveOpens"])
        self.assertEqual(families.value(opened, id=self.client.id, role="client"),
                         self.client.net.tcp_counters()["ActiveOpens"] - client["states"]["syn_sent"])
        self.assert_sums(families)

    def test_an_agent_that_comes_later_finds_them_all_but_those_that_nobody_holds_yet(self):
        self.agent.stop()
        self.start_all()
        with Agent(self.CONFIG) as agent:
            families, server, client = self.at_rest(agent)
            server["states"]["established"] -= 3  # not accepted
            self.assertEqual(counted(families, self.server)["states"], server["states"])
            self.assertEqual(counted(families, self.client)["states"], client["states"])


if __name__ == "__main__":
    unittest.main()
