# SPDX-License-Identifier: Apache-2.0
"""What the agent may do once it runs, as the kernel says it of each of its threads; and that it goes on to work with it."""

import os
import re
import unittest

from testbed import CANNOT_START, Agent, Cgroup, Netns, RuncRuntime, watching

NUMBERS = {"cap_dac_read_search": 2, "cap_net_bind_service": 10, "cap_net_admin": 12, "cap_sys_ptrace": 19,
           "cap_perfmon": 38, "cap_bpf": 39}
IN_EFFECT = {"cap_dac_read_search", "cap_net_admin", "cap_sys_ptrace"}
ALL = {"containers": {"discover": [], "cgroups": [{"path": "/plimsoll-test/*"}], "linger": "5s"},
       "probes": {"io": {"enabled": True}, "descriptors": {"enabled": True}}}


def names(mask):
    bits = {number: name for name, number in NUMBERS.items()}
    return {bits.get(bit, str(bit)) for bit in range(64) if int(mask, 16) >> bit & 1}


def threads(pid):
    """{thread: {field of its status: text}}"""
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid), encoding="utf-8") as status:
            found[int(tid)] = dict(re.findall(r"^(\w+):\s*(.*)$", status.read(), re.MULTILINE))
    return found


class Privileges(unittest.TestCase):
    def check(self, agent):
        """The main thread has what is documented, the web server's have nothing, and the page says so."""
        found = threads(agent.pid)
        main = found.pop(agent.pid)
        self.assertEqual(names(main["CapEff"]), IN_EFFECT)
        self.assertEqual(names(main["CapPrm"]), set(NUMBERS))
        self.assertEqual((names(main["CapInh"]), names(main["CapAmb"])), (set(), set()))
        self.assertGreater(len(found), 1)
        for thread in found.values():
            self.assertEqual((names(thread["CapEff"]), names(thread["CapPrm"])), (set(), set()))
        self.assertEqual({thread["NoNewPrivs"] for thread in [main, *found.values()]}, {"1"})
        shown = {(sample.labels["capability"], sample.labels["set"])
                 for sample in agent.metrics().samples("plimsoll_capabilities")}
        self.assertEqual(shown, {(name, "effective" if name in IN_EFFECT else "permitted") for name in NUMBERS})

    def test_root_keeps_what_is_needed_and_no_more(self):
        with Agent(ALL) as agent:
            self.check(agent)

    def test_a_reload_gets_at_the_kernel_again_and_gives_it_back(self):
        without = {**ALL, "probes": {**ALL["probes"], "tcp": {"enabled": False}}}
        with Agent(without) as agent:
            self.assertEqual(agent.metrics().samples("plimsoll_probe_up", probe="tcp"), [])
            agent.reload(ALL)
            agent.wait_value("plimsoll_probe_up", lambda up: up == 1, probe="tcp")
            self.check(agent)

    def test_hooks_are_attached_when_a_container_comes_long_after(self):
        """Of probes io and traffic, and of a network namespace that is not ours."""
        network = Netns()
        self.addCleanup(network.remove)
        with RuncRuntime() as runtime, Agent(ALL) as agent:
            hosted = runtime.run("hosted", ["sh", "-c", "while :; do cat /proc/uptime >/dev/null; done"], network="host")
            inside = runtime.run("inside", ["sleep", "1000"], network=network.path)
            agent.wait_value("container_io_operations_total", bool, id=hosted.cgroup_path, direction="read",
                             **{"class": "file"})
            for container in (hosted, inside):
                agent.wait_value("container_fs_limit_bytes", bool, id=container.cgroup_path)
            self.assertTrue(agent.metrics().samples("container_thread_seconds_total", id=inside.cgroup_path))
            self.assertEqual(set(re.findall(r" error: (?:probe )?([^:]+)", agent.log())), CANNOT_START)

    def test_without_some_of_them_there_is_no_reserve_of_them(self):
        with Cgroup("/plimsoll-test/plain"), \
                Agent(watching("/plimsoll-test"), wrapper=["setpriv", "--bounding-set", "-net_admin,-sys_admin"]) as agent:
            self.assertEqual(names(threads(agent.pid)[agent.pid]["CapPrm"]), set(NUMBERS) - {"cap_net_admin"})
            agent.metrics()


if __name__ == "__main__":
    unittest.main()
