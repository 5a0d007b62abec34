# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: the configuration is read again while the agent runs; all of it is put in force, or nothing, and whoever stays
a container loses no count."""

import json
import mmap
import os
import struct
import time
import unittest

from testbed import Agent, Born, Cgroup, free_port, ids, wait_until, watching

PREFIX = "/plimsoll-reload"
SUCCESSFUL = "plimsoll_config_last_reload_successful"
TIMESTAMP = "plimsoll_config_last_reload_success_timestamp_seconds"
FORKS = "container_process_forks_total"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Making:
    """Children, one after another, until it is told to stop; how many they were."""

    def __init__(self):
        self._shared = mmap.mmap(-1, 16)

    def run(self):
        made = 0
        while not self._shared[8]:
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
            made += 1
            self._shared[:8] = struct.pack("Q", made)
        self._shared[9] = 1
        time.sleep(1000)

    def stop(self):
        self._shared[8] = 1
        wait_until(lambda: self._shared[9], 20, "the last child")
        return struct.unpack("Q", self._shared[:8])[0]


def forker(count):
    """So many children, one after another, some within each millisecond; then it sleeps."""
    def run():
        for _ in range(count):
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        time.sleep(1000)
    return run


class Reload(unittest.TestCase):
    def start(self, **keys):
        self.config = {**watching(PREFIX, linger="1s"), **keys}
        self.agent = self.enterContext(Agent(self.config))
        self.listen = ["127.0.0.1:%d" % self.agent.port]

    def container(self, name, run=lambda: time.sleep(1000)):
        cgroup = self.enterContext(Cgroup("%s/%s" % (PREFIX, name)))
        cgroup.enable_controllers()
        born = Born(cgroup, run)
        self.addCleanup(born.kill)
        return cgroup.path

    def reload(self, text=None, **keys):
        """Whether it is in force, once the agent has decided."""
        web = {"web": {"listen": self.listen}, "log": {"level": "debug"}}
        before = self.agent.log().count("stays in force"), self.agent.log().count("is in force")
        self.agent.reload(json.dumps({**self.config, **web, **keys}) if text is None else text)

        def decided():
            after = self.agent.log().count("stays in force"), self.agent.log().count("is in force")
            return after if after != before else None
        refused, accepted = wait_until(decided, 20, "the end of the reload")
        self.assertEqual(refused - before[0] + accepted - before[1], 1)
        return accepted > before[1]

    def test_who_stays_loses_no_count_while_others_come_and_go(self):
        self.start()
        making = Making()
        busy = self.container("busy", making.run)
        gone = self.container("gone")
        self.agent.wait_value(FORKS, lambda forks: forks and forks > 10, id=busy)
        for number in range(10):
            forks, odd = self.agent.value(FORKS, id=busy), number % 2
            wanted = [busy, gone] if odd else [busy]
            self.assertTrue(self.reload(containers={"discover": [], "cgroups": [{"path": path} for path in wanted],
                                                    "linger": "0s"}, smoothing={"windows": ["2s"] if odd else ["1s", "5s"]},
                                        probes={"tcp": {"enabled": bool(odd)}, "memory": {"enabled": not odd}}))
            wait_until(lambda wanted=wanted: ids(self.agent.metrics()) == set(wanted), 10, "these containers")
            self.agent.wait_value(FORKS, lambda now, forks=forks: now > forks, id=busy)
        self.assertTrue(self.reload(containers={"discover": [], "cgroups": [{"path": busy}, {"path": gone}]}))
        made = making.stop()
        families = self.agent.wait_value("container_process_exits_total", lambda exits: exits == made, id=busy,
                                         outcome="success")
        print("    %d processes" % made)
        self.assertEqual(families.value(FORKS, id=busy), made + Born.FORKS)
        states = families.sum("container_thread_seconds_total", id=busy)
        self.assertAlmostEqual(states, families.value("container_thread_lifetime_seconds_total", id=busy), delta=1e-6)
        self.assertEqual(families.value("plimsoll_ledger_residual_seconds"), 0)
        self.assertEqual(families.value("container_threads", id=gone), 1)

    def test_a_container_gets_another_name_and_keeps_its_counters(self):
        self.start()
        path = self.container("one", forker(17))
        self.agent.wait_value("container_process_exits_total", lambda exits: exits == 17, id=path, outcome="success")
        self.assertTrue(self.reload(containers={"discover": [], "cgroups": [{"path": path, "name": "renamed"}]}))
        self.assertEqual(self.agent.value(FORKS, id=path, name="renamed"), 17 + Born.FORKS)

    def test_probes_smoothing_and_peers(self):
        self.start(probes={"memory": {"enabled": False}}, smoothing={"windows": ["1s"]})
        path = self.container("one")
        families = self.agent.metrics()
        self.assertEqual(families.samples("container_memory_usage_bytes", id=path), [])
        self.assertEqual(set(families.by("window", "container_cpu_usage_cores", id=path)), {"1s"})
        self.assertTrue(self.reload(probes={"pressure": {"enabled": False}, "tcp": {"enabled": False}},
                                    smoothing={"windows": ["5s", "20s"], "tick": "50ms"}, peers={"max": 3}))
        families = self.agent.metrics()
        self.assertEqual(len(families.samples("container_memory_usage_bytes", id=path)), 1)
        up = families.by("probe", "plimsoll_probe_up")
        self.assertEqual((up["memory"], "pressure" in up, "tcp" in up), (1, False, False))
        self.assertEqual(families.samples("container_pressure_cpu_waiting_seconds_total", id=path), [])
        self.assertEqual(families.samples("container_tcp_connections_opened_total", id=path), [])
        self.agent.wait_value("container_cpu_usage_cores", lambda cores: cores is not None, id=path, window="20s")
        self.assertTrue(self.reload(probes={}))
        families = self.agent.metrics()
        self.assertEqual(families.value("container_tcp_connections_opened_total", id=path, role="client"), 0)

    def test_a_file_with_mistakes_changes_nothing_and_says_why(self):
        self.start()
        path = self.container("one")
        loaded = self.agent.value(TIMESTAMP)
        self.assertEqual(self.agent.value(SUCCESSFUL), 1)
        self.assertFalse(self.reload("containers: {max: many}\nnonsense: 1\n"))
        self.assertIn("nonsense", self.agent.log())
        self.assertIn("containers.max", self.agent.log())
        families = self.agent.metrics()
        self.assertEqual((families.value(SUCCESSFUL), families.value(TIMESTAMP)), (0, loaded))
        self.assertEqual(families.value("container_threads", id=path), 1)
        self.assertTrue(self.reload())
        self.assertEqual(self.agent.value(SUCCESSFUL), 1)
        self.assertGreater(self.agent.value(TIMESTAMP), loaded)

    def test_what_is_fixed_until_a_restart_is_refused_as_a_whole(self):
        self.start()
        path = self.container("one")
        self.assertFalse(self.reload(containers={"max": 7, "discover": []}))
        self.assertIn("containers.max can change at a start only", self.agent.log())
        self.assertEqual((self.agent.value(SUCCESSFUL), self.agent.value("container_threads", id=path)), (0, 1))

    def test_a_required_probe_that_cannot_start_keeps_all_as_it_was(self):
        self.start(probes={"io": {"enabled": False}})
        if self.reload(probes={"io": {"enabled": True, "required": True, "method": "fentry"}}):
            self.skipTest("fentry works here")
        self.assertNotIn("io", self.agent.metrics().by("probe", "plimsoll_probe_up"))

    def test_other_addresses_and_back_when_they_cannot_be_had(self):
        self.start()
        former, port = self.agent.port, free_port()
        self.listen = ["127.0.0.1:%d" % port]
        self.assertTrue(self.reload())
        self.agent.port = port
        self.assertEqual(self.agent.value(SUCCESSFUL), 1)
        self.listen = ["192.0.2.1:%d" % former]  # an address that no host has
        self.assertFalse(self.reload())
        self.assertEqual(self.agent.value(SUCCESSFUL), 0)

    def test_one_part_that_cannot_be_had_keeps_all_others_as_they_were(self):
        self.start(probes={"memory": {"enabled": False}}, smoothing={"windows": ["1s"]})
        one, two = self.container("one"), self.container("two")
        port, self.listen = self.listen, ["192.0.2.1:1"]  # an address that no host has
        self.assertFalse(self.reload(containers={"discover": [], "cgroups": [{"path": one, "name": "renamed"}]}, probes={},
                                     smoothing={"windows": ["5s"]}))
        families = self.agent.metrics()
        self.assertEqual((families.value(SUCCESSFUL), ids(families)), (0, {one, two}))
        self.assertEqual(families.samples("container_threads", name="renamed"), [])
        self.assertNotIn("memory", families.by("probe", "plimsoll_probe_up"))
        self.assertEqual(set(families.by("window", "container_cpu_usage_cores", id=one)), {"1s"})
        self.listen = port
        self.assertTrue(self.reload(probes={}))
        self.assertEqual(self.agent.value("plimsoll_probe_up", probe="memory"), 1)

    def test_the_log_level_changes(self):
        def heard(level):
            """Whether a reload is told that ends at this level."""
            loaded, before = self.agent.value(TIMESTAMP), self.agent.log().count("is in force")
            self.agent.reload(json.dumps({**self.config, "web": {"listen": self.listen}, "log": {"level": level}}))
            self.agent.wait_value(TIMESTAMP, lambda time: time > loaded)
            time.sleep(0.2)
            return self.agent.log().count("is in force") > before
        self.start()
        # Each begins at the level before.
        self.assertEqual([heard(level) for level in ("info", "error", "error", "info", "info")],
                         [True, True, False, False, True])
        self.assertTrue(self.reload(log={"level": "error"}))
        logged = self.agent.log()
        self.agent.reload("nonsense: 1\n")
        wait_until(lambda: "nonsense" in self.agent.log(), 10, "an error")
        self.assertNotIn(" info:", self.agent.log()[len(logged):])


if __name__ == "__main__":
    unittest.main()
