# SPDX-License-Identifier: Apache-2.0
"""Rules with connects_to: who connects to an address becomes a container, and the connection that makes it one counts."""

import os
import signal
import subprocess
import sys
import unittest

from testbed import SLOWNESS, Agent, Cgroup, Netns, command, held_by, ids, kernel_failures, still_there, wait_until

PREFIX = "/plimsoll-connects"
V4, V6 = "10.234.8.1", "fd00:8::1"
WANTED, OTHER = 5432, 5433
DOCKER = "/docker/" + "d" * 64
REPLY = 13
# Before Linux 6.7 the other threads of a process that connects are counted from the agent's visit on.
COUNTS_SLEEPERS_LATE = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 7)

SERVER = """if True:
    import socket, sys, threading
    def answer(connection):
        while connection.recv(65536):
            connection.sendall(bytes(%d))
        connection.close()
    def serve(listener):
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()
    listeners = [socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
                 for port in sys.argv[1:]]
    for listener in listeners:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
    """ % REPLY

# ADDRESS PORT CONNECTIONS BYTES: each sends so many bytes at once and awaits the answer.
CLIENT = """if True:
    import socket, sys
    address, port, count, size = sys.argv[1], *map(int, sys.argv[2:5])
    for _ in range(count):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
            connection.connect((address, port))
            connection.sendall(bytes(size))
            assert len(connection.recv(%d, socket.MSG_WAITALL)) == %d
    """ % (REPLY, REPLY)

# The connection is made by one thread and used by another, which sleeps until then.
HANDED_OVER = """if True:
    import queue, socket, sys, threading
    connections, done = queue.Queue(), threading.Event()
    def use():
        global connection  # stays open
        connection = connections.get()
        for _ in range(11):
            connection.sendall(bytes(7))
            connection.recv(%d, socket.MSG_WAITALL)
        done.set()
    threads = [threading.Thread(target=use), threading.Thread(target=threading.Event().wait, daemon=True)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    connections.put(socket.create_connection((sys.argv[1], int(sys.argv[2]))))
    done.wait()
    print("done", flush=True)
    sys.stdin.readline()
    """ % REPLY


# Three connections to the first port, then one to the second.
BOTH = """if True:
    import socket, sys
    kept = [socket.create_connection((sys.argv[1], int(sys.argv[2]))) for _ in range(3)]
    kept.append(socket.create_connection((sys.argv[1], int(sys.argv[3]))))
    print("ready", flush=True)
    sys.stdin.readline()
    """


def config(*include, **containers):
    """Nothing is discovered unless the test says so."""
    return {"containers": {"discover": [], "include": list(include), "linger": "60s", **containers}}


BY_V4 = {"connects_to": "%s:%d" % (V4, WANTED)}


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Case(unittest.TestCase):
    """A server in a network namespace; clients in cgroups of their own come into it."""

    @classmethod
    def setUpClass(cls):
        cls.net = Netns()
        cls.addClassCleanup(cls.net.remove)
        cls.net.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.lo.disable_ipv6=0")
        cls.net.ip("addr", "add", V4 + "/32", "dev", "lo")
        cls.net.ip("addr", "add", V6 + "/128", "dev", "lo", "nodad")
        home = Cgroup(PREFIX + "/server").create()
        cls.addClassCleanup(home.remove)
        server = cls.start(home, SERVER, WANTED, OTHER)
        assert server.stdout.readline() == "ready\n"
        cls.addClassCleanup(server.communicate)
        cls.addClassCleanup(server.kill)

    @classmethod
    def start(cls, cgroup, script, *arguments):
        return cgroup.spawn(["nsenter", "--net=" + cls.net.path, sys.executable, "-c", script, *map(str, arguments)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def connect(self, cgroup, address, port, count, size):
        client = self.start(cgroup, CLIENT, address, port, count, size)
        client.communicate(timeout=60 * SLOWNESS)
        self.assertEqual(client.returncode, 0)

    def cgroup(self, name):
        cgroup = Cgroup(name if name.startswith("/") else "%s/%s" % (PREFIX, name)).create()
        self.addCleanup(cgroup.remove)
        return cgroup

    def agent(self, *include, **containers):
        return self.enterContext(Agent(config(*include, **containers)))

    def check(self, families, path, connections, sent, received):
        """All that it did since it first connected, that connection included."""
        def traffic(direction):
            return families.sum("container_socket_bytes_total", id=path, protocol="tcp", direction=direction)
        self.assertEqual(families.value("container_tcp_connections_opened_total", id=path, role="client"), connections)
        self.assertEqual(families.value("container_tcp_connect_seconds_count", id=path), connections)
        self.assertEqual((traffic("write"), traffic("read")), (sent, received))
        self.assertEqual(families.sum("container_socket_bytes_total", id=path, protocol="tcp", role="client"),
                         sent + received)
        self.assertEqual(kernel_failures(families), {})
        self.assertEqual(families.value("plimsoll_cgroup_resync_corrections_total"), 0)


class Selected(Case):
    def test_who_connects_there_is_a_container_from_the_first_connection_on_and_nobody_else(self):
        one, two, three = (self.cgroup(name) for name in ("one", "two", "three"))
        agent = self.agent({"connects_to": "[2001:db8::7]:1"}, BY_V4)
        self.connect(two, V4, OTHER, 5, 3)
        self.connect(three, V6, WANTED, 5, 3)
        self.assertEqual(ids(agent.metrics()), set())
        self.connect(one, V4, WANTED, 7, 11)
        families = agent.metrics()
        self.assertEqual(ids(families), {one.path})
        self.check(families, one.path, 7, 7 * 11, 7 * REPLY)
        self.assertEqual(families.value("container_processes", id=one.path), 0)
        self.assertEqual(families.value("container_process_exits_total", id=one.path, outcome="success"), 1)
        info = families.samples("container_info", id=one.path)[0].labels
        self.assertEqual((info["runtime"], info["name"]), ("cgroup", "one"))
        self.connect(one, V4, OTHER, 3, 17)  # it is one now, whatever it does
        self.check(agent.metrics(), one.path, 10, 7 * 11 + 3 * 17, 10 * REPLY)
        self.assertEqual(agent.value("plimsoll_events_total", kind="connection"), 1)

    def test_all_ways_to_write_and_use_an_address_are_one(self):
        mapped = "::ffff:" + V4
        for written, used, port in ((V4, mapped, WANTED), ("[%s]" % mapped, V4, WANTED), ("[%s]" % V6, V6, WANTED),
                                    ("*", V4, OTHER), ("", V6, OTHER)):
            with self.subTest(written, used=used), Cgroup(PREFIX + "/way") as cgroup, \
                    Agent(config({"connects_to": "%s:%d" % (written, port)})) as agent:
                self.connect(cgroup, used, port, 3, 5)
                self.assertEqual(ids(agent.metrics()), {cgroup.path})
                self.check(agent.metrics(), cgroup.path, 3, 15, 3 * REPLY)

    def test_exclude_wins_and_all_parts_of_a_rule_must_hold(self):
        quiet, loud, another = (self.cgroup(name) for name in ("quiet", "loud", "another"))
        agent = self.agent({**BY_V4, "cgroup": PREFIX + "/*u*"}, {**BY_V4, "runtime": "docker"},
                           exclude=[{"name": "quiet"}])
        for cgroup in (quiet, another, loud):
            self.connect(cgroup, V4, WANTED, 3, 5)
        self.connect(quiet, V4, WANTED, 2, 5)
        families = agent.metrics()
        self.assertEqual(ids(families), {loud.path})
        self.check(families, loud.path, 3, 15, 3 * REPLY)
        # each was asked about once: connections that are refused cost the daemon nothing
        self.assertEqual(families.value("plimsoll_events_total", kind="connection"), 3)

    def test_a_process_in_a_container_that_discovery_knows_selects_that_container(self):
        container, other = self.cgroup(DOCKER), self.cgroup("/docker/" + "e" * 64)
        inner, sibling = self.cgroup(DOCKER + "/inner/most"), self.cgroup(DOCKER + "/sibling")
        asleep = [cgroup.spawn(["sleep", "1000"]) for cgroup in (container, sibling, other)]
        for process in asleep:
            self.addCleanup(process.communicate)
            self.addCleanup(process.kill)
        agent = self.agent({"connects_to": "%s:%d" % (V4, OTHER)}, {**BY_V4, "runtime": "docker"}, discover=["docker"])
        self.assertEqual(ids(agent.metrics()), set())
        self.connect(inner, V4, WANTED, 7, 11)
        families = agent.metrics()
        self.assertEqual(ids(families), {container.path})
        self.check(families, container.path, 7, 7 * 11, 7 * REPLY)
        self.assertEqual(families.samples("container_info", id=container.path)[0].labels["runtime"], "docker")
        self.assertEqual(families.value("container_threads", id=container.path), 2)  # also who slept all the while
        self.connect(sibling, V4, OTHER, 1, 2)
        born = self.cgroup(DOCKER + "/born")
        self.connect(born, V4, WANTED, 1, 2)
        self.assertEqual(ids(agent.metrics()), {container.path})
        self.check(agent.metrics(), container.path, 9, 7 * 11 + 4, 9 * REPLY)

    def test_connections_to_elsewhere_that_are_older_than_its_first_to_the_address_are_shown(self):
        agent = self.agent(BY_V4)
        cgroup = self.cgroup("older")
        self.assertEqual(ids(agent.metrics()), set())  # its birth has been heard of, and it has no slot any more
        process = self.start(cgroup, BOTH, V4, OTHER, WANTED)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        families = agent.metrics()
        self.assertEqual(families.value("container_tcp_connections", id=cgroup.path, state="established"), 4)
        self.check(families, cgroup.path, 1, 0, 0)

    def test_a_thread_that_slept_while_another_connected_is_counted_from_its_first_byte_on(self):
        cgroup = self.cgroup("threads")
        process = self.start(cgroup, HANDED_OVER, V4, WANTED)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        agent = self.agent(BY_V4)
        self.assertEqual(ids(agent.metrics()), set())
        process.stdin.write("go\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "done\n")
        families = agent.metrics()
        sent, received = (families.sum("container_socket_bytes_total", id=cgroup.path, protocol="tcp", direction=direction)
                          for direction in ("write", "read")) if COUNTS_SLEEPERS_LATE else (77, 11 * REPLY)
        for count, each in ((sent, 7), (received, REPLY)):
            self.assertIn(count, [each * times for times in range(1, 12)])
        self.check(families, cgroup.path, 1, sent, received)
        self.assertEqual(families.value("container_processes", id=cgroup.path), 1)
        self.assertEqual(families.value("container_threads", id=cgroup.path), 2)


class Brief(Case):
    """Cgroups that come, connect and go: whether the agent hears of it at once or only when all is over."""

    def check_brief(self, agent, name):
        with Cgroup("%s/%s" % (PREFIX, name)) as cgroup:
            self.connect(cgroup, V4, WANTED, 3, 7)
        return cgroup.path

    def test_a_cgroup_that_connects_once_and_ends_is_on_the_page(self):
        agent = self.agent(BY_V4)
        path = self.check_brief(agent, "brief")
        families = agent.wait_value("container_tcp_connections_opened_total", lambda value: value, id=path, role="client")
        self.check(families, path, 3, 21, 3 * REPLY)

    def test_so_is_one_of_which_the_agent_hears_when_it_has_ended(self):
        agent = self.agent(BY_V4, exclude=[{"name": "refused"}])
        os.kill(agent.pid, signal.SIGSTOP)
        try:
            paths = [self.check_brief(agent, name) for name in ("late", "refused", "too-late")]
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        families = agent.metrics()
        self.assertEqual(ids(families), {paths[0], paths[2]})
        for path in (paths[0], paths[2]):
            self.check(families, path, 3, 21, 3 * REPLY)
            self.assertEqual(families.value("container_process_exits_total", id=path, outcome="success"), 1)
            self.assertEqual(families.value("container_threads", id=path), 0)


class Around(Case):
    def test_who_is_connected_when_the_agent_starts_is_selected(self):
        cgroup = self.cgroup("connected")
        process = self.start(cgroup, HANDED_OVER, V4, WANTED)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.stdin.write("go\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), "done\n")
        families = self.agent(BY_V4).metrics()
        self.assertEqual(ids(families), {cgroup.path})  # and not the server at the other end
        self.assertEqual(families.value("container_tcp_connections", id=cgroup.path, state="established"), 1)
        self.assertEqual(families.value("container_threads", id=cgroup.path), 2)

    def test_the_root_cgroup_is_never_selected_which_is_said_once(self):
        agent = self.agent(BY_V4, {"connects_to": "%s:%d" % (V4, OTHER)})
        for port in (WANTED, OTHER, WANTED):
            self.connect(Cgroup("/"), V4, port, 2, 5)
        families = agent.wait_value("plimsoll_events_total", lambda value: value == 2, kind="connection")
        self.assertEqual(ids(families), set())
        self.assertEqual(agent.log().count("the root cgroup is no container"), 1)

    def test_nothing_is_left_in_the_kernel_and_nothing_is_there_without_such_a_rule(self):
        programs = {"on_connect", "on_each_connection"}
        for rules, expected in (([BY_V4], programs), ([], set())):
            with Agent(config(*rules)) as agent:
                samples = agent.metrics().samples("plimsoll_program_misses_total")
                self.assertEqual({sample.labels["program"] for sample in samples} & programs, expected)
                held = held_by(agent.pid)
            self.assertTrue(all(held.values()))
            wait_until(lambda held=held: not any(still_there(held).values()), 10, "end of what it held", interval=0.1)

    def test_the_commands_say_what_they_cannot_know(self):
        agent = self.agent(BY_V4)
        listed = command("list", "--format", "json", "--config", agent.config_path, check=True)
        self.assertEqual(listed.stdout, "[]\n")
        self.assertIn("only the running agent sees connections", listed.stderr)
        checked = command("check", "--config", agent.config_path, check=True)
        self.assertRegex(checked.stdout, r"ok +rules with connects_to +tp_btf/inet_sock_set_state.* 1 address\n")


if __name__ == "__main__":
    unittest.main()
