# SPDX-License-Identifier: Apache-2.0
"""Processes by the thousand from one container: the agent stays small, and others' counters stay right."""

import os
import signal
import time
import unittest

from under_load import (SLOWNESS, Agent, Born, Cgroup, Crowd, Scraper, count, cpu_of, kernel_failures, watching)

PREFIX = "/plimsoll-test-bombs"
FORKS = "container_process_forks_total"
EXECS = "container_process_execs_total"
EXITS = "container_process_exits_total"
# Everybody forks, and who cannot any more makes room, but for the first.
BOMB = '$SIG{CHLD} = "IGNORE"; $first = $$; while (1) { defined(fork) or $$ == $first or exit }'
PIDS = 128


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def runs_programs(number):
    """What a process does: so many programs, one after another."""
    def body():
        for _ in range(number):
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    return body


class ForkBomb(unittest.TestCase):
    def limited(self, name):
        """A container that can have so many processes and no more."""
        cgroup = self.enterContext(Cgroup("%s/%s" % (PREFIX, name)))
        cgroup.enable_controllers()
        directory = cgroup.directories.get("pids", cgroup.identity())
        with open(directory + "/pids.max", "w", encoding="utf-8") as file:
            file.write(str(PIDS))
        return cgroup

    def refused(self, cgroup):
        return int(cgroup.read("pids.events", "pids" if "pids" in cgroup.directories else "").split()[1])

    def test_the_agent_stays_small_and_the_others_exact(self):
        seconds, programs = count(30, 8), 211
        bombed, other = self.limited("bombed"), self.enterContext(Cgroup(PREFIX + "/other"))
        with Agent(watching(PREFIX)) as agent:
            bomb = bombed.spawn(["perl", "-e", BOMB])
            agent.wait_value(FORKS, lambda forks: forks and forks > 2 * PIDS, 30, id=bombed.path)
            life = Born(other, runs_programs(programs))
            began, used, bomb_used = time.monotonic(), cpu_of(agent.pid), bombed.cpu_usage_ns()
            forks = agent.value(FORKS, id=bombed.path)
            with Scraper(agent, 1) as scraper:
                time.sleep(seconds)
            took, used = time.monotonic() - began, cpu_of(agent.pid) - used
            bomb_used = (bombed.cpu_usage_ns() - bomb_used) / 1e9
            forks = agent.value(FORKS, id=bombed.path) - forks
            life.wait()
            self.assertGreater(self.refused(bombed), 0)
            bombed.kill()
            bomb.wait(20 * SLOWNESS)
            families = agent.metrics()
        print("    %d forks/s; the bomb takes %.2f cores, the agent %.3f; scrapes: median %.3f s, slowest %.3f s"
              % (forks / took, bomb_used / took, used / took, scraper.median(), scraper.slowest()))
        self.assertGreater(forks, 20 * seconds)
        self.assertLess(used / took, 0.1)
        self.assertEqual(scraper.failures(), [])
        self.assertLess(scraper.slowest(), 1)
        self.assertEqual(families.value(FORKS, id=other.path), programs + Born.FORKS)
        self.assertEqual(families.value(EXECS, id=other.path), programs)
        self.assertEqual(families.by("outcome", EXITS, id=other.path), {"success": programs + 1, "failure": 0})
        self.assertEqual(families.sum(EXITS, id=bombed.path), families.value(FORKS, id=bombed.path) + 1)  # who moved in
        self.assertEqual(kernel_failures(families), {})


class Stopped(unittest.TestCase):
    """The agent gets no CPU while more happens than the event channel holds."""

    SECONDS = 10

    def test_what_was_produced_was_consumed_or_lost_and_no_counter_depends_on_it(self):
        families, unheard, late = self.overflow("ringbuf")
        # Events of processes leave room for those of cgroups, so that nobody has to wait for a walk of the tree.
        self.assertEqual(unheard, 0)
        self.assertEqual(families.value(EXITS, id=late, outcome="failure"), 1)
        self.assertEqual(families.value("plimsoll_cgroup_resync_corrections_total"), 0)

    def test_of_perf_buffers_a_walk_finds_who_was_born_meanwhile(self):
        families, unheard, late = self.overflow("perf", patience=60)
        self.assertGreaterEqual(unheard, families.value("plimsoll_cgroup_resync_corrections_total"))

    def overflow(self, channel, patience=0):
        """The page afterwards, how many events were lost that are no process's, and the id of a container that was born and
        ended its one process with an error meanwhile: it is waited for."""
        programs = count(20000, 6000)
        busy = self.enterContext(Cgroup(PREFIX + "/busy"))
        crowd = self.enterContext(Crowd(Cgroup(PREFIX + "-late")))
        config = {"containers": {"discover": [], "cgroups": [{"path": PREFIX + "*/*"}]}, "events": {"channel": channel}}
        with Agent(config) as agent:
            before = agent.metrics()
            began = time.monotonic()
            os.kill(agent.pid, signal.SIGSTOP)
            Born(busy, runs_programs(programs)).wait()
            late = Cgroup(crowd.add("born-late"))
            Born(late, lambda: 7).wait()
            if count(True, False):
                time.sleep(max(0.0, began + self.SECONDS - time.monotonic()))
            took = time.monotonic() - began
            os.kill(agent.pid, signal.SIGCONT)
            families = agent.metrics()
            if patience:
                agent.wait_value(EXITS, lambda exits: exits == 1, patience, id=late.path, outcome="failure")
                families = agent.metrics()
        grown = lambda name, **labels: families.sum(name, **labels) - before.sum(name, **labels)
        consumed = sum(grown("plimsoll_events_total", kind=kind) for kind in ("exec", "exit"))
        lost = grown("plimsoll_events_lost_total")
        exits = programs + 2
        print("    %.1f s; %d programs: %d events consumed, %d lost" % (took, programs, consumed, lost))
        self.assertGreater(lost, 0)
        self.assertEqual(families.value(EXECS, id=busy.path), programs)
        self.assertEqual(families.value(FORKS, id=busy.path), programs + Born.FORKS)
        self.assertEqual(families.by("outcome", EXITS, id=busy.path), {"success": programs + 1, "failure": 0})
        self.assertLess(families.value("plimsoll_ledger_residual_seconds"), 0.001)
        return families, consumed + lost - programs - exits, late.path


if __name__ == "__main__":
    unittest.main()
