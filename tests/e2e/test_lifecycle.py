# SPDX-License-Identifier: Apache-2.0
"""Containers that come and go, more of them than fit, and the agent's own beginning and end."""

import os
import signal
import socket
import time
import unittest

from testbed import (SLOWNESS, Agent, Born, Cgroup, RuncRuntime, free_port, held_by, hierarchies, ids, kernel_failures,
                     now, run, still_there, wait_until, watching)

PREFIX = "/plimsoll-life"
LINGER = 4
LIFETIME = "container_thread_lifetime_seconds_total"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def config(**containers):
    return watching(PREFIX, linger="%ds" % LINGER, **containers)


def sleeper(seconds=1000.0):
    return lambda: time.sleep(seconds)


class ComingAndGoing(unittest.TestCase):
    def test_a_container_that_lives_for_20_ms_between_two_scrapes_leaves_its_exact_account(self):
        with Agent(config()) as agent:
            self.assertEqual(ids(agent.metrics()), set())
            with Cgroup(PREFIX + "/short") as cgroup:
                life = Born(cgroup, lambda: time.sleep(0.02) or 3).wait()
            self.assertEqual(life.status, 3)
            first = agent.metrics()
            lifetime = first.value(LIFETIME, id=cgroup.path)
            self.assertGreaterEqual(lifetime, life.inside)
            self.assertLessEqual(lifetime, life.outside)
            self.assertGreaterEqual(first.value("container_thread_seconds_total", id=cgroup.path, state="sleep"), 0.02)
            self.assertAlmostEqual(first.sum("container_thread_seconds_total", id=cgroup.path), lifetime, delta=1e-6)
            self.assertEqual(first.by("outcome", "container_process_exits_total", id=cgroup.path),
                             {"success": 0, "failure": 1})
            self.assertEqual(first.value("container_process_forks_total", id=cgroup.path), Born.FORKS)
            self.assertEqual(first.value("container_process_seconds_count", id=cgroup.path), 1)
            processes = first.value("container_process_seconds_sum", id=cgroup.path)
            self.assertGreaterEqual(processes, lifetime - 0.005 * SLOWNESS)
            self.assertLessEqual(processes, life.outside + 0.005 * SLOWNESS)
            self.assertEqual(first.value("container_threads", id=cgroup.path), 0)
            time.sleep(LINGER / 2)  # its values are the last ones, whenever they are asked for
            second = agent.metrics()
            for name in (LIFETIME, "container_thread_seconds_total", "container_process_exits_total"):
                self.assertEqual(second.sum(name, id=cgroup.path), first.sum(name, id=cgroup.path))
            wait_until(lambda: not ids(agent.metrics()), LINGER + 2, "the end of its linger")

    def test_a_container_is_on_the_next_page_and_counted_from_its_first_instruction(self):
        with Agent(config()) as agent, Cgroup(PREFIX + "/new") as cgroup:
            agent.metrics()
            process = Born(cgroup, sleeper())
            before = now()
            families = agent.metrics()
            after = now()
            lifetime = families.value(LIFETIME, id=cgroup.path)
            self.assertGreaterEqual(lifetime, before - process.after)
            self.assertLessEqual(lifetime, after - process.before)
            self.assertEqual(families.value("container_processes", id=cgroup.path), 1)
            process.kill()

    def test_a_runc_container_is_on_the_next_page_with_its_whole_life(self):
        with Agent(config()) as agent, RuncRuntime() as runtime:
            agent.metrics()
            container = runtime.run("whole", ["sleep", "1000"], cgroup=PREFIX + "/whole")
            uptime = now()
            families = agent.metrics()
            with open("/proc/%d/stat" % container.pid, encoding="utf-8") as stat:
                started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
            # Its init is the last of the processes that runc starts in there.
            self.assertGreaterEqual(families.value(LIFETIME, id=container.cgroup_path) + 0.05, uptime - started - 0.01)
            self.assertEqual(families.value("container_processes", id=container.cgroup_path), 1)

    def test_a_service_that_is_restarted_has_one_series_and_it_works(self):
        rounds = 23
        with Agent(config()) as agent:
            added = agent.value("plimsoll_containers_added_total")
            for number in range(rounds):
                with Cgroup(PREFIX + "/service") as cgroup:
                    life = Born(cgroup, lambda number=number: number).wait()
                    if number % 3 == 0:  # the parser refuses a series that is there twice
                        families = agent.metrics()
                        lifetime = families.value(LIFETIME, id=cgroup.path)
                        self.assertTrue(life.inside <= lifetime <= life.outside, (life.inside, lifetime, life.outside))
                        self.assertEqual(families.value("container_process_exits_total", id=cgroup.path,
                                                        outcome="failure" if number else "success"), 1)
            families = agent.metrics()
            self.assertEqual(ids(families), {cgroup.path})
            self.assertEqual(families.value("plimsoll_containers_added_total") - added, rounds)
            self.assertEqual(families.sum("container_process_exits_total", id=cgroup.path), 1)

    def test_more_containers_than_fit_share_one_series_and_nothing_is_lost(self):
        groups = [Cgroup("%s/many-%d" % (PREFIX, number)) for number in range(12)]
        for group in groups:
            self.addCleanup(group.remove)
        for group in groups[:6]:
            group.create()
        born = [Born(group, sleeper()) for group in groups[:6]]
        with Agent(config(max=5)) as agent:
            self.assertEqual(agent.value("plimsoll_containers_overflow"), 1)
            for group in groups[6:]:
                born.append(Born(group.create(), sleeper()))
            alive = now()
            families = agent.metrics()
            self.assertEqual(families.value("plimsoll_containers_overflow"), 7)
            own = ids(families) - {"overflow"}
            self.assertEqual((len(own), len(ids(families))), (5, 6))
            self.assertEqual(families.value("container_processes", id="overflow"), 7)
            self.assertEqual(families.sum("container_processes"), 12)
            self.assertEqual(families.sum("plimsoll_containers"), 5)
            time.sleep(0.5)
            again = agent.metrics()
            grown = again.sum(LIFETIME) - families.sum(LIFETIME)
            elapsed = now() - alive
            self.assertGreater(grown, 12 * 0.5)
            self.assertLess(grown, 12 * elapsed)
            lives = [process.kill() for process in born]
            for group in groups:
                group.remove()
            last = agent.metrics()
            self.assertEqual(last.value("plimsoll_containers_overflow"), 0)
            self.assertEqual(last.sum("container_process_exits_total", outcome="SIGKILL"), len(lives))
            newcomer = Cgroup(PREFIX + "/late")
            with newcomer:
                Born(newcomer, sleeper(0)).wait()
                self.assertIn(newcomer.path, ids(agent.metrics()))
            self.assertEqual(kernel_failures(agent.metrics()), {})


class Ending(unittest.TestCase):
    def connect(self, agent, request=b""):
        client = socket.create_connection(("127.0.0.1", agent.port))
        client.sendall(request)
        return client

    def test_sigterm_ends_it_soon_whatever_clients_do(self):
        undisturbed = []
        for what, requests in (("nobody", ()), ("a silent client", (b"",)), ("half a request", (b"GET /met",)),
                               ("a client that does not read", (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",)),
                               ("many", (b"", b"GET / HTTP/1.1\r\n") * 20)):
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(what, signal=number):
                    agent = Agent(config())
                    clients = [self.connect(agent, request) for request in requests]
                    begin = time.monotonic()
                    os.kill(agent.pid, number)
                    self.assertEqual(agent.daemon.process.wait(10 * SLOWNESS), 0)
                    took = time.monotonic() - begin
                    if not clients:
                        undisturbed.append(took)
                    self.assertLess(took, min(undisturbed) + 4)  # it is five when it waits for a client that says nothing
                    for client in clients:
                        client.close()

    def test_kill_9_leaves_nothing_and_it_can_start_again_at_once(self):
        address = {"web": {"listen": ["127.0.0.1:%d" % free_port()]}}
        with Cgroup(PREFIX + "/stays") as cgroup:
            process = Born(cgroup, sleeper())
            tree = self.tree()
            for number in (signal.SIGKILL, signal.SIGTERM):
                agent = Agent({**config(), **address}, ready=False)
                agent.port = int(address["web"]["listen"][0].rpartition(":")[2])
                agent.wait_ready(timeout=10)
                self.assertEqual(agent.value("container_processes", id=cgroup.path), 1)
                held = held_by(agent.pid)
                self.assertTrue(all(held.values()), held)
                os.kill(agent.pid, number)
                agent.daemon.process.wait(10 * SLOWNESS)
                wait_until(lambda held=held: not any(still_there(held).values()), 10,
                           "the kernel's clean-up of %s" % held)
                with self.assertRaises(ConnectionRefusedError):
                    self.connect(agent)
                self.assertEqual(self.tree(), tree)
            process.kill()
        pinned = run(["find", "/sys/fs/bpf", "-name", "*plimsoll*"], check=False).stdout
        self.assertEqual(pinned, "")

    def tree(self):
        """Our part of the cgroup tree with its processes; other tests have theirs."""
        found = {}
        for point in hierarchies().values():
            for folder, _, files in os.walk(point.rstrip("/") + PREFIX):
                with open(folder + "/cgroup.procs", encoding="utf-8") as procs:
                    found[folder] = (sorted(files), procs.read())
        return found


class SlowClients(unittest.TestCase):
    def test_silent_and_slow_clients_never_delay_a_scrape(self):
        with Agent(config()) as agent, Cgroup(PREFIX + "/served") as cgroup:
            descriptors = agent.value("process_open_fds")
            silent = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(50)]
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            slow.connect(("127.0.0.1", agent.port))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            times = []
            for number in range(25):
                begin = time.monotonic()
                self.assertEqual(ids(agent.metrics()), {cgroup.path})
                times.append(time.monotonic() - begin)
                slow.setblocking(False)
                try:
                    slow.recv(16)
                except OSError:  # nothing yet, or it was thrown out
                    pass
                time.sleep(max(0.0, 0.2 - times[-1]))
            print("    slowest of %d scrapes: %.3f s" % (len(times), max(times)))
            self.assertLess(max(times), 2)
            for client in silent + [slow]:
                client.close()
            wait_until(lambda: agent.value("process_open_fds") <= descriptors, 15, "the end of their connections",
                       interval=0.2)


if __name__ == "__main__":
    unittest.main()
