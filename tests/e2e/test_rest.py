# SPDX-License-Identifier: Apache-2.0
"""Of containers whose threads do nothing files are not read again that only their threads can move; and what is shown
of them is right all the same, at once when they do something, or when somebody does something to them."""

import os
import signal
import subprocess
import sys
import time
import unittest

from dropin import ids_of
from testbed import Agent, Cgroup, Crowd, Netns, wait_until, watching

PARENT = "/plimsoll-test-rest"
CONFIG = watching(PARENT)
SETTLE = 2.2  # seconds until a container that does nothing is at rest
# Sleeps in pause(2), and at each signal uses up a twentieth of a second of CPU time.
WORKER = """
import signal, time
def work(*_):
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
signal.signal(signal.SIGUSR1, work)
print("ready", flush=True)
while True:
    signal.pause()
"""


def reads_of(pid):
    """System calls of the process that read, as the kernel counts them."""
    with open("/proc/%d/io" % pid, encoding="utf-8") as io:
        return int(dict(line.split(": ") for line in io.read().splitlines())["syscr"])


class Rest(unittest.TestCase):
    def resting(self, agent, pages=2):
        """Scrapes until what rests is known to."""
        for _ in range(pages):
            agent.page()
            time.sleep(SETTLE)
        agent.page()

    def worker(self, name="worker"):
        cgroup = self.enterContext(Cgroup("%s/%s" % (PARENT, name)))
        process = cgroup.spawn([sys.executable, "-c", WORKER], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return cgroup, process

    def reads_for_a_page(self, config):
        with Agent(config) as agent:
            agent.wait_value("plimsoll_containers", lambda value: value == 40, runtime="cgroup")
            self.resting(agent)
            counts = []
            for _ in range(5):
                before = reads_of(agent.pid)
                agent.page()
                counts.append(reads_of(agent.pid) - before)
            return min(counts)

    def test_it_saves_reading(self):
        with Crowd(40, parent=PARENT):
            resting = self.reads_for_a_page(CONFIG)
            always = self.reads_for_a_page({**CONFIG, "probes": {"ledger": {"enabled": False}}})
        print("    %d reads of files for a page, %d where nobody knows who rests" % (resting, always))
        self.assertLess(resting, 0.7 * always)

    def test_who_does_something_is_right_at_once(self):
        with Agent(CONFIG) as agent:
            cgroup, process = self.worker()
            self.resting(agent)
            for _ in range(5):
                used = cgroup.cpu_usage_ns()
                process.send_signal(signal.SIGUSR1)
                wait_until(lambda used=used: cgroup.cpu_usage_ns() >= used + 50_000_000, 10, "its work")
                low = cgroup.cpu_usage_ns() / 1e9
                shown = agent.value("container_cpu_usage_seconds_total", id=cgroup.path)
                self.assertTrue(low <= shown <= cgroup.cpu_usage_ns() / 1e9, (low, shown))
                time.sleep(0.3)
            self.resting(agent)
            self.assertEqual(round(agent.value("container_cpu_usage_seconds_total", id=cgroup.path) * 1e9),
                             cgroup.cpu_usage_ns())

    def test_pressure_of_who_rests_is_the_kernels(self):
        with Agent(CONFIG) as agent:
            cgroup, process = self.worker()
            rival = cgroup.spawn(["taskset", "-c", "0", "sh", "-c", "timeout 1 yes >/dev/null & timeout 1 yes >/dev/null; "
                                  "wait; exec sleep 1000"])
            self.addCleanup(rival.wait)
            self.addCleanup(rival.kill)
            time.sleep(1.5)
            self.resting(agent)
            try:
                text = cgroup.read("cpu.pressure").splitlines()[0]
            except FileNotFoundError:
                self.skipTest("the kernel tells no pressure")
            total = int(text.rpartition("total=")[2])
            self.assertGreater(total, 200_000)
            shown = agent.value("container_pressure_cpu_waiting_seconds_total", id=cgroup.path)
            self.assertEqual(round(shown * 1e6), total)

    def test_limits_of_who_rests_are_shown_when_they_are_written(self):
        with Agent(CONFIG) as agent:
            cgroup, _ = self.worker()
            self.resting(agent)
            cgroup.enable_controllers()
            for cores in (0.25, 0.5):
                cgroup.limit(cpus=cores)
                quota = agent.value("container_spec_cpu_quota", id=cgroup.path)
                self.assertEqual(quota, round(cores * 100000))
                self.resting(agent, pages=1)
            for number in (31, 37):
                directory = next(path for path in cgroup.directories.values() if os.path.exists(path + "/pids.max"))
                with open(directory + "/pids.max", "w", encoding="utf-8") as limit:
                    limit.write(str(number))
                self.assertEqual(agent.value("container_threads_max", id=cgroup.path), number)
                self.resting(agent, pages=1)

    def test_packets_for_who_rests_are_counted_and_a_process_that_is_moved_in_its_sleep_is_found(self):
        here, there = Netns(), Netns()
        self.addCleanup(here.remove)
        self.addCleanup(there.remove)
        here.cable(there, 37)
        with Agent(CONFIG) as agent:
            cgroup = self.enterContext(Cgroup(PARENT + "/asleep"))
            other = self.enterContext(Cgroup(PARENT + "/other"))
            process = cgroup.spawn(["nsenter", "--net=" + here.path, "sleep", "1000"])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            wait_until(lambda: "eth0" in agent.metrics().by("interface", "container_network_receive_packets_total",
                                                            id=cgroup.path), 5, "its interface")
            self.resting(agent)
            before = agent.metrics().by("interface", "container_network_receive_packets_total", id=cgroup.path)["eth0"]
            there.send("10.234.37.1", 7)  # nobody in the container runs for them
            shown = agent.metrics().by("interface", "container_network_receive_packets_total", id=cgroup.path)["eth0"]
            self.assertEqual(shown, here.counters()["eth0"]["receive_packets"])
            self.assertGreaterEqual(shown - before, 7)
            other.add(process.pid)
            self.assertIn(other.path, ids_of(agent.metrics(), "container_network_receive_packets_total"))

    def test_who_is_killed_in_its_sleep_has_ended(self):
        with Agent(CONFIG) as agent:
            cgroup, process = self.worker()
            self.resting(agent)
            threads = agent.value("container_threads", id=cgroup.path)
            process.kill()
            process.wait()
            self.assertEqual((threads, agent.value("container_threads", id=cgroup.path)), (1, 0))
            self.assertEqual(round(agent.value("container_cpu_usage_seconds_total", id=cgroup.path) * 1e9),
                             cgroup.cpu_usage_ns())


if __name__ == "__main__":
    unittest.main()
