# SPDX-License-Identifier: Apache-2.0
"""Probes that are switched off have nothing in the kernel: the host does not pay for them."""

import unittest

from testbed import CANNOT_START, Agent, Cgroup, programs_of, watching

PREFIX = "/plimsoll-test"
PROBES = {"io", "block", "socket", "tcp", "peer", "traffic"}
WITHOUT_PROGRAMS = {"peer"} | CANNOT_START  # peers get what they have from the programs of others
# Of the ledger and of processes, and what tells containers.
OTHERS = {"on_sched_switch", "on_sched_wakeup", "on_cgroup_attach_task", "on_cgroup_mkdir", "on_cgroup_rmdir", "on_each_task",
          "on_sched_process_exec", "on_sched_process_exit", "on_task_newtask", "on_exec", "on_exit", "on_fork", "on_oom_victim",
          "on_oom_victim_id"}


def programs(off):
    """Of an agent with a container, and with all probes but these."""
    probes = {name: {"enabled": name not in off} for name in PROBES}
    with Agent({**watching(PREFIX), "probes": probes}) as agent:
        return set(programs_of(agent.pid))


class SwitchedOff(unittest.TestCase):
    def test_each_alone_and_all_of_them_take_their_programs_with_them(self):
        with Cgroup(PREFIX + "/idle"):
            everything, nothing = programs(set()), programs(PROBES)
            self.assertEqual(nothing - OTHERS, set())
            gone = {probe: everything - programs({probe}) for probe in PROBES}
        print("    %s" % {probe: len(names) for probe, names in gone.items()})
        self.assertEqual({probe for probe, names in gone.items() if not names}, WITHOUT_PROGRAMS)
        self.assertEqual(set().union(*gone.values()), everything - nothing)


if __name__ == "__main__":
    unittest.main()
