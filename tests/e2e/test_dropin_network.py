# SPDX-License-Identifier: Apache-2.0
"""cAdvisor's metrics of network interfaces against the kernel's own file in the same namespace: probe="network"."""

import os
import signal
import unittest

from dropin import PREFIX, Case, ids_of
from testbed import Cgroup, Netns, Rootfs, RuncRuntime, wait_until

COLUMNS = ("receive_bytes", "receive_packets", "receive_errors", "receive_packets_dropped",
           "transmit_bytes", "transmit_packets", "transmit_errors", "transmit_packets_dropped")


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def network(families, **labels):
    """{interface: {column: value}} of the series that match."""
    found = {}
    for column in COLUMNS:
        for interface, value in families.by("interface", "container_network_%s_total" % column, **labels).items():
            found.setdefault(interface, {})[column] = value
    return found


def same_network(pid, namespace):
    try:
        return os.path.samestat(os.stat("/proc/%d/ns/net" % pid), os.stat(namespace.path))
    except FileNotFoundError:
        return False


class Network(Case):
    @classmethod
    def setUpClass(cls):
        cls.runtime = RuncRuntime(Rootfs(with_workloads=False))
        cls.addClassCleanup(cls.runtime.close)

    def netns(self):
        namespace = Netns()
        self.addCleanup(namespace.remove)
        return namespace

    def pair(self, number):
        here, there = self.netns(), self.netns()
        here.cable(there, number)
        return here, there

    def process_in(self, namespace, cgroup):
        """A sleeping process in the namespace and the cgroup, from its first instruction there."""
        process = cgroup.spawn(["nsenter", "--net=" + namespace.path, "sleep", "1000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: same_network(process.pid, namespace), 5, "the process in its namespace")
        return process

    def container(self, name, network_path="", path=None):
        container = self.runtime.run(name, ["sleep", "1000"], cgroup=path or "%s/%s" % (PREFIX, name),
                                     network=network_path)
        self.addCleanup(container.remove)
        return container

    def test_counters_are_those_of_the_namespace_and_stay_after_the_end(self):
        here, there = self.pair(1)
        container = self.container("counted", here.path)
        agent = self.agent()
        there.send("10.234.1.1", 23, 1000)
        first = here.counters()["eth0"]
        self.assertGreaterEqual(first["receive_packets"], 23)
        self.assertGreaterEqual(first["receive_bytes"], 23 * 1000)
        self.assertGreater(first["transmit_bytes"], 0)  # refusals
        for _ in range(3):
            before = here.counters()["eth0"]
            shown = network(agent.metrics(), id=container.cgroup_path)
            after = here.counters()["eth0"]
            self.assertEqual(set(shown), {"eth0"})  # and no lo
            for column in COLUMNS:
                self.assertTrue(before[column] <= shown["eth0"][column] <= after[column],
                                (column, before, shown, after))
            there.send("10.234.1.1", 29, 500)
        last = network(agent.metrics(), id=container.cgroup_path)
        self.assertEqual(last["eth0"]["receive_packets"], here.counters()["eth0"]["receive_packets"])
        container.remove()
        for _ in range(2):
            self.assertEqual(network(agent.metrics(), id=container.cgroup_path), last)

    def test_the_network_of_the_host_is_nobodys(self):
        container = self.container("hosted", "host")
        service = self.cgroup("service")
        process = service.spawn(["sleep", "1000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        families = self.agent().metrics()
        self.assertEqual(network(families, id=container.cgroup_path), {})
        self.assertEqual(network(families, id=service.path), {})
        self.assertIn(container.cgroup_path, ids_of(families, "container_threads"))  # both are watched
        self.assertIn(service.path, ids_of(families, "container_threads"))

    def test_a_pod_has_one_set_of_series_on_the_pod(self):
        here, there = self.pair(3)
        pod = "/kubepods/besteffort/pod3f2b1c00-1111-4222-8333-944445555666"
        self.addCleanup(Cgroup(pod).create().remove)
        paths = ["%s/%s" % (pod, digit * 64) for digit in "ab"]
        containers = [self.container("pod-%d" % number, here.path, path) for number, path in enumerate(paths)]
        agent = self.agent({"containers": {"discover": ["kubernetes"]}})
        there.send("10.234.3.1", 23)
        families = agent.metrics()
        self.assertEqual(ids_of(families, "container_threads") & set(paths), set(paths))
        self.assertEqual({one for one in ids_of(families, "container_network_receive_bytes_total")
                          if one.startswith(pod)}, {pod})
        shown = network(families, id=pod)
        self.assertEqual(set(shown), {"eth0"})
        self.assertEqual(shown["eth0"]["receive_packets"], here.counters()["eth0"]["receive_packets"])
        labels = families.samples("container_network_receive_bytes_total", id=pod)[0].labels
        self.assertNotIn("container", labels)
        containers[0].remove()
        there.send("10.234.3.1", 29)
        self.assertEqual(network(agent.metrics(), id=pod)["eth0"], here.counters()["eth0"])

    def test_a_namespace_shared_without_a_pod_is_its_oldest_containers(self):
        here, there = self.pair(4)
        agent = self.agent()
        first = self.container("zz-first", here.path)
        second = self.container("aa-second", here.path)
        for agent_now in (agent, self.agent()):
            there.send("10.234.4.1", 7)
            families = agent_now.metrics()
            self.assertEqual(network(families, id=first.cgroup_path)["eth0"], here.counters()["eth0"])
            self.assertEqual(network(families, id=second.cgroup_path), {})

    def test_nothing_keeps_the_namespace_when_the_container_has_ended(self):
        here, there = self.pair(5)
        container = self.container("pinned", here.path)
        agent = self.agent()
        self.assertEqual(set(network(agent.metrics(), id=container.cgroup_path)), {"eth0"})
        self.assertEqual(there.interfaces(), {"lo", "eth0"})
        here.unname()
        self.assertEqual(set(network(agent.metrics(), id=container.cgroup_path)), {"eth0"})
        self.assertEqual(there.interfaces(), {"lo", "eth0"})  # the container holds it
        container.remove()
        wait_until(lambda: there.interfaces() == {"lo"}, 10, "the end of the cable")
        self.assertEqual(set(network(agent.metrics(), id=container.cgroup_path)), {"eth0"})  # its last values

    def test_another_process_takes_over_and_a_reused_pid_does_not(self):
        here, there = self.pair(6)
        group, stranger = self.cgroup("reused"), self.cgroup("stranger")
        first, second = self.process_in(here, group), self.process_in(here, group)
        agent = self.agent()
        there.send("10.234.6.1", 5)
        self.assertEqual(network(agent.metrics(), id=group.path)["eth0"], here.counters()["eth0"])
        first.kill()
        first.wait()
        self.reuse(first.pid, stranger, there)
        there.send("10.234.6.1", 7)
        families = agent.metrics()
        self.assertEqual(network(families, id=group.path)["eth0"], here.counters()["eth0"])
        self.assertEqual(network(families, id=stranger.path)["eth0"], there.counters()["eth0"])
        last = network(families, id=group.path)
        second.kill()
        second.wait()
        there.send("10.234.6.1", 11)
        self.assertEqual(network(agent.metrics(), id=group.path), last)  # nobody is left to look through

    def reuse(self, pid, cgroup, namespace):
        """A process with this very pid in another container and another namespace."""
        def attempt():
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
                file.write(str(pid - 1))
            child = os.fork()
            if child == 0:
                if os.getpid() == pid:
                    os.execvp("nsenter", ["nsenter", "--net=" + namespace.path, "sleep", "1000"])
                os._exit(0)
            if child == pid:
                self.addCleanup(os.waitpid, pid, 0)
                self.addCleanup(os.kill, pid, signal.SIGKILL)
                return True
            os.waitpid(child, 0)
            return False
        wait_until(attempt, 10, "a process with pid %d" % pid)
        cgroup.add(pid)
        wait_until(lambda: same_network(pid, namespace), 5, "the process in its namespace")

    def test_counters_never_go_back_when_an_interface_is_made_anew(self):
        here, there = self.pair(7)
        container = self.container("anew", here.path)
        agent = self.agent()
        there.send("10.234.7.1", 23)
        first = network(agent.metrics(), id=container.cgroup_path)["eth0"]
        here.ip("link", "del", "eth0")
        self.assertEqual(network(agent.metrics(), id=container.cgroup_path), {})
        here.cable(there, 7)
        there.send("10.234.7.1", 2)
        again = network(agent.metrics(), id=container.cgroup_path)["eth0"]
        now = here.counters()["eth0"]
        self.assertLess(now["receive_packets"], first["receive_packets"])
        for column in COLUMNS:
            self.assertEqual(again[column], first[column] + now[column])


if __name__ == "__main__":
    unittest.main()
