# SPDX-License-Identifier: Apache-2.0
"""Containers in the host's network namespace: their own traffic and nobody else's, against what is known to have been
sent and what the kernel counted on the interface: probe="traffic"."""

import subprocess
import sys
import unittest

from dropin import PREFIX, Case
from testbed import (SLOWNESS, Agent, Cgroup, DockerRuntime, Netns, PodmanRuntime, Rootfs, RuncRuntime, defer, held_by,
                     hierarchies, programs_of, run, wait_until, watching)
from plimsoll_testbed.netns import parse_net_dev
from test_dropin_network import network

INTERFACE, RENAMED = "plimsoll0", "plimsoll1"
ETHERNET, IPV4, IPV6 = 14, 28, 48  # the link's header; those of IP and UDP
RECEIVED = ("receive_bytes", "receive_packets")
SENT = ("transmit_bytes", "transmit_packets")

# ADDRESS PORT HOW-OFTEN SIZE HOW-OFTEN: sends datagrams and then waits for so many.
TALK = """
import socket, sys
address, (port, count, size, answers) = sys.argv[1], map(int, sys.argv[2:])
me = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
me.settimeout(30)
me.connect((address, port))
for _ in range(count):
    me.send(bytes(size))
for _ in range(answers):
    me.recv(65536)
"""
# ADDRESS PORT HOW-OFTEN HOW-OFTEN SIZE: the other side of it, for ever.
ANSWER = """
import socket, sys
address, (port, count, answers, size) = sys.argv[1], map(int, sys.argv[2:])
me = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
me.bind((address, port))
print("ready", flush=True)
while True:
    for _ in range(count):
        peer = me.recvfrom(65536)[1]
    for _ in range(answers):
        me.sendto(bytes(size), peer)
"""
# ADDRESS BYTES BYTES: sends and receives so many over one connection, which the other side ends.
CONNECT = """
import socket, sys
address, (send, receive) = sys.argv[1], map(int, sys.argv[2:])
me = socket.create_connection((address, 7001), 30)
me.sendall(bytes(send))
while receive:
    receive -= len(me.recv(1 << 20))
assert me.recv(1) == b""
"""
ACCEPT = """
import socket, sys
address, (receive, send) = sys.argv[1], map(int, sys.argv[2:])
listener = socket.create_server((address, 7001))
print("ready", flush=True)
peer = listener.accept()[0]
while receive:
    receive -= len(peer.recv(1 << 20))
peer.sendall(bytes(send))
"""


def interface_counters():
    with open("/proc/net/dev", encoding="utf-8") as file:
        return parse_net_dev(file.read())[INTERFACE]


def grown(before):
    now = interface_counters()
    return {column: now[column] - before[column] for column in (*RECEIVED, *SENT)}


def programs(agent):
    """Links of the agent to cgroups."""
    links = held_by(agent.pid)["link"]
    return sum(1 for line in run(["bpftool", "link", "show"]).stdout.splitlines()
               if ": cgroup " in line and int(line.split(":")[0]) in links)


@unittest.skipUnless("" in hierarchies(), "containers are told by a v1 hierarchy")
class HostNetwork(Case):
    def setUp(self):
        self.addCleanup(Cgroup(PREFIX).create().remove)
        self.there = Netns()
        self.addCleanup(self.there.remove)
        self.cable = self.there.cable_to_host(77, INTERFACE)
        self.addCleanup(self.cable.run)

    def runc(self):
        runtime = RuncRuntime(Rootfs(with_workloads=False))
        self.addCleanup(runtime.close)
        return runtime

    def hosted(self, name, runtime=None, network="host"):
        return (runtime or self.runc()).run(name, ["sleep", "1000"], cgroup="%s/%s" % (PREFIX, name), network=network)

    def start(self, argv, **options):
        process = subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, text=True, **options)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def serve(self, script, *arguments):
        process = self.start(["ip", "netns", "exec", self.there.name, sys.executable, "-S", "-c", script, *arguments])
        self.assertEqual(process.stdout.readline(), "ready\n")

    def do(self, cgroup, script, *arguments, namespace=None):
        """In a process of the container, or of nobody's."""
        argv = ["nsenter", "--net=" + namespace.path] if namespace else []
        argv += [sys.executable, "-S", "-c", script, *map(str, arguments)]
        process = cgroup.spawn(argv) if cgroup else self.start(argv)
        self.assertEqual(process.wait(60 * SLOWNESS), 0)

    def talk(self, cgroup, port, count, size, answers, answer_size, address="10.234.77.2", header=IPV4):
        """Datagrams to and fro. What it makes of IP packets."""
        self.serve(ANSWER, address, port, count, answers, answer_size)
        self.do(cgroup, TALK, address, port, count, size, answers)
        return {"transmit_bytes": count * (size + header), "transmit_packets": count,
                "receive_bytes": answers * (answer_size + header), "receive_packets": answers}

    def shown(self, agent, container):
        return network(agent.metrics(), id=container.cgroup_path)

    def test_only_its_own_bytes_beside_those_of_the_host(self):
        container = self.hosted("counted")
        here, there = Netns(), Netns()
        here.cable(there, 78)
        for namespace in (here, there):
            self.addCleanup(namespace.remove)
        apart = self.hosted("apart", network=here.path)
        agents = self.agent(), self.agent()  # and not only its own programs
        before = interface_counters()
        mine = self.talk(container.cgroup, 7001, 23, 1009, 29, 601)
        others = self.talk(None, 7002, 31, 401, 37, 811)
        there.send("10.234.78.1", 41, 307)
        on_the_link = grown(before)
        for kind in ("receive", "transmit"):
            packets = mine[kind + "_packets"] + others[kind + "_packets"]
            self.assertEqual(on_the_link[kind + "_packets"], packets)
            self.assertEqual(on_the_link[kind + "_bytes"],
                             mine[kind + "_bytes"] + others[kind + "_bytes"] + packets * ETHERNET)
        for agent in agents:
            families = agent.metrics()
            self.assertEqual(network(families, id=container.cgroup_path), {INTERFACE: mine})
            self.assertEqual(network(families, id=apart.cgroup_path), {"eth0": here.counters()["eth0"]})
            self.assertEqual(families.value("plimsoll_probe_up", probe="traffic"), 1)

    def test_a_container_counts_on_after_its_end_and_its_successor_from_nothing(self):
        agent = self.agent()
        runtime = self.runc()
        for times in (1, 2):
            container = self.hosted("again", runtime)
            wait_until(lambda: programs(agent) == 2, 10, "programs, without a scrape")
            first = self.talk(container.cgroup, 7000 + times, 7, 100, 5, 200)
            self.assertEqual(self.shown(agent, container), {INTERFACE: first})
            more = self.talk(container.cgroup, 7010 + times, 11, 300, 13, 400)
            both = {INTERFACE: {column: first[column] + more[column] for column in first}}
            container.remove()
            for _ in range(2):
                self.assertEqual(self.shown(agent, container), both)

    def test_nobodys_packets_pay_when_all_containers_have_networks_of_their_own(self):
        runtime = self.runc()
        apart = self.hosted("apart", runtime, network="")
        agent = self.agent()
        self.assertEqual(programs(agent), 0)
        container = self.hosted("hosted", runtime)
        wait_until(lambda: programs(agent) == 2, 10, "programs, without a scrape")
        container.remove()
        agent.metrics()
        self.assertEqual(programs(agent), 0)
        self.assertEqual(self.shown(agent, apart), {})

    def test_segments_of_a_connection(self):
        """What the kernel handles as one packet is as many as TCP at the other end sends; its bytes are those that the
        interface carried, which got the same packets."""
        container = self.hosted("connected")
        agent = self.agent()
        sent, received = 5000011, 7000003
        self.serve(ACCEPT, "10.234.77.2", sent, received)
        before, segments = interface_counters(), self.there.tcp_segments_sent()
        self.do(container.cgroup, CONNECT, "10.234.77.2", sent, received)
        segments = self.there.tcp_segments_sent() - segments
        on_the_link = grown(before)
        shown = self.shown(agent, container)[INTERFACE]
        self.assertEqual(shown["receive_packets"], segments)
        self.assertGreater(shown["receive_packets"], on_the_link["receive_packets"])
        self.assertGreaterEqual(shown["transmit_packets"], sent // 1448)
        for kind in ("receive", "transmit"):
            self.assertEqual(shown[kind + "_bytes"],
                             on_the_link[kind + "_bytes"] - on_the_link[kind + "_packets"] * ETHERNET)

    def test_ipv6(self):
        self.there.add_ipv6(77, INTERFACE)
        container = self.hosted("six")
        agent = self.agent()
        mine = self.talk(container.cgroup, 7001, 23, 1009, 29, 601, address="fd00:234:77::2", header=IPV6)
        self.talk(None, 7002, 31, 401, 37, 811, address="fd00:234:77::2", header=IPV6)
        self.assertEqual(self.shown(agent, container), {INTERFACE: mine})

    def test_interfaces_that_are_gone_or_called_otherwise(self):
        container = self.hosted("renamed")
        agent = self.agent()
        first = self.talk(container.cgroup, 7001, 23, 100, 5, 100)
        self.assertEqual(self.shown(agent, container), {INTERFACE: first})
        self.cable.run()
        self.assertEqual(self.shown(agent, container), {})
        self.cable = self.there.cable_to_host(77, INTERFACE)
        second = self.talk(container.cgroup, 7002, 29, 100, 7, 100)
        self.assertEqual(self.shown(agent, container), {INTERFACE: second})
        for change in (["down"], ["name", RENAMED], ["up"]):
            run(["ip", "link", "set", RENAMED if change == ["up"] else INTERFACE, *change])
        self.addCleanup(run, ["ip", "link", "del", RENAMED])
        third = self.talk(container.cgroup, 7003, 31, 100, 11, 100)
        self.assertEqual(self.shown(agent, container), {RENAMED: third})

    def test_sockets_of_the_container_in_another_namespace_are_not_counted(self):
        here, there = Netns(), Netns()
        for namespace in (here, there):
            self.addCleanup(namespace.remove)
        here.cable(there, 78, name=INTERFACE)
        container = self.hosted("wanderer")
        agent = self.agent()
        self.do(container.cgroup, TALK, "10.234.78.2", 9, 1, 100, 0, namespace=here)
        self.assertGreaterEqual(here.counters()[INTERFACE]["transmit_packets"], 1)
        self.assertEqual(self.shown(agent, container), {})
        mine = self.talk(container.cgroup, 7001, 3, 100, 5, 100)
        self.assertEqual(self.shown(agent, container), {INTERFACE: mine})

    def test_a_missing_capability_is_named(self):
        with Agent(watching(PREFIX), wrapper=["setpriv", "--bounding-set", "-net_admin,-sys_admin"]) as agent:
            up = agent.metrics().by("probe", "plimsoll_probe_up")
            self.assertEqual({probe for probe, value in up.items() if not value}, {"traffic"})
            self.assertIn("probe traffic: the agent needs CAP_NET_ADMIN", agent.log())

    def test_whoever_takes_the_root_cgroup_for_himself_is_told_and_waited_for(self):
        agent = self.agent()
        # No better program to be somebody else's than one that the kernel has already.
        his = [hierarchies()[""], "cgroup_inet_ingress", "id", programs_of(agent.pid)["on_received"]]
        run(["bpftool", "cgroup", "attach", *his])
        gone = defer(lambda: run(["bpftool", "cgroup", "detach", *his]))
        container = self.hosted("refused")
        warnings = lambda: [line for line in agent.log().splitlines() if " warning: probe traffic: root cgroup" in line]
        wait_until(warnings, 10, "a word, without a scrape")
        for _ in range(2):
            self.assertEqual(self.shown(agent, container), {})
        self.assertEqual((len(warnings()), programs(agent)), (1, 0))
        gone.run()
        self.assertEqual(self.shown(agent, container), {})
        self.assertEqual(programs(agent), 2)
        mine = self.talk(container.cgroup, 7001, 23, 1009, 29, 601)
        self.assertEqual(self.shown(agent, container), {INTERFACE: mine})

    def test_what_stays_inside_and_is_counted_elsewhere_is_left_out(self):
        """Loopback, and interfaces that cAdvisor leaves out by their names."""
        other = Netns()
        self.addCleanup(other.remove)
        cable = other.cable_to_host(79, "vethplimsoll")
        self.addCleanup(cable.run)
        container = self.hosted("inside")
        agent = self.agent()
        self.do(container.cgroup, TALK, "127.0.0.1", 9, 1, 100, 0)
        self.do(container.cgroup, TALK, "10.234.79.2", 9, 1, 100, 0)
        mine = self.talk(container.cgroup, 7001, 3, 100, 5, 100)
        self.assertEqual(self.shown(agent, container), {INTERFACE: mine})

    def check_runtime(self, kind):
        with kind(Rootfs(with_workloads=False)) as runtime:
            with Agent({"containers": {"discover": [runtime.NAME]}}, runtimes=[runtime]) as agent:
                container = runtime.run("hosted", ["sleep", "1000"], network="host")
                apart = runtime.run("apart", ["sleep", "1000"])
                agent.metrics()
                mine = self.talk(container.cgroup, 7001, 23, 1009, 29, 601)
                self.talk(None, 7002, 31, 401, 37, 811)
                families = agent.metrics()
                self.assertEqual(network(families, id=container.cgroup_path), {INTERFACE: mine})
                self.assertEqual(network(families, name="hosted"), {INTERFACE: mine})
                self.assertEqual(network(families, id=apart.cgroup_path), {})

    def test_docker(self):
        self.check_runtime(DockerRuntime)

    def test_podman(self):
        self.check_runtime(PodmanRuntime)


if __name__ == "__main__":
    unittest.main()
