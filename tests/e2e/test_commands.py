# SPDX-License-Identifier: Apache-2.0
"""The commands besides the agent itself: what they print is for people and for scripts."""

import json
import os
import re
import unittest

from families import reason_of_absence
from testbed import BINARY, Agent, Cgroup, Netns, Rootfs, RuncRuntime, command, workdir

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
PREFIX = "/plimsoll-commands"
CONFIG = {"containers": {"discover": [], "cgroups": [{"path": PREFIX + "/plain"},
                                                     {"path": PREFIX + "/called", "name": "by name"}]}}
COMMANDS = ("daemon", "check", "list", "metrics")


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def config_file(config):
    path = workdir() + "/plimsoll.yaml"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    return path


def probes():
    """All there are, those that are off by default too."""
    return re.findall(r"^\S+ +probe (\w+)", command("check").stdout, re.M)


class Help(unittest.TestCase):
    def test_it_has_every_command_and_examples(self):
        done = command("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        commands, examples = done.stdout.split("\nExamples:\n")
        for name in COMMANDS:
            self.assertRegex(commands, r"\n  %s +\w" % name)
            self.assertEqual(command(name, "--help").returncode, 0)
        self.assertGreaterEqual(len(re.findall(r"^  plimsoll (daemon|check|list)", examples, re.M)), 3)

    def test_the_options_are_those_that_are_promised(self):
        for option in ("--config", "--web.listen-address", "--log.level"):
            self.assertIn(option, command("daemon", "--help").stdout)
        self.assertIn("--format", command("list", "--help").stdout)

    def test_the_version_is_the_one_on_the_page(self):
        done = command("--version")
        self.assertRegex(done.stdout, r"\Aplimsoll \d+\.\d+\.\d+\n\Z")
        with Agent() as agent:
            build = agent.metrics().samples("plimsoll_build_info")
        self.assertEqual(["plimsoll " + sample.labels["version"] for sample in build], [done.stdout.strip()])


class List(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for name in ("plain", "called", "not-chosen"):
            Cgroup("%s/%s" % (PREFIX, name)).create()
        cls.path = config_file(CONFIG)

    def test_json_has_what_scripts_need(self):
        done = command("list", "--format", "json", "--config", self.path)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        found = json.loads(done.stdout)
        self.assertEqual([{key: one[key] for key in ("cgroup", "runtime", "name", "image")} for one in found],
                         [{"cgroup": PREFIX + "/called", "runtime": "cgroup", "name": "by name", "image": ""},
                          {"cgroup": PREFIX + "/plain", "runtime": "cgroup", "name": "plain", "image": ""}])
        for one in found:
            self.assertEqual(set(one), {"cgroup", "runtime", "id", "name", "image", "rule"})
            self.assertTrue(one["rule"])

    def test_the_table_has_one_aligned_line_each(self):
        lines = command("list", "--config", self.path).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["CGROUP", "RUNTIME", "ID", "NAME", "IMAGE", "RULE"])
        self.assertEqual([line.split()[0] for line in lines[1:]], [PREFIX + "/called", PREFIX + "/plain"])
        start = lines[0].index("NAME")
        self.assertEqual([line[start:].split("  ")[0] for line in lines[1:]], ["by name", "plain"])

    def test_it_needs_no_bpf(self):
        done = command("--bounding-set=-all,+dac_read_search", BINARY, "list",
                       "--format", "json", "--config", self.path, binary="setpriv")
        self.assertEqual((done.returncode, len(json.loads(done.stdout))), (0, 2))

    def test_nothing_to_watch_is_an_empty_list(self):
        done = command("list", "--format", "json", "--config", config_file({"containers": {"discover": []}}))
        self.assertEqual((done.returncode, json.loads(done.stdout)), (0, []))


# Families that some cgroup versions or kernels do not tell, and those of devices, sockets, io_uring, AIO and
# waits, which appear on first use.
NOT_EVERYWHERE = {"container_memory_events_high_total", "container_memory_events_max_total",
                  "container_socket_bytes_total", "container_socket_operations_total",
                  "container_tcp_accept_seconds",
                  *("container_fs_%s_total" % what for what in ("reads", "writes", "reads_bytes", "writes_bytes")),
                  "container_io_uring_requests_total", "container_io_uring_punted_total", "container_io_uring_seconds",
                  "container_aio_submissions_total", "container_wait_seconds", "container_block_in_flight",
                  *("container_block_%s_total" % what for what in ("bytes", "operations", "errors", "merges")),
                  "container_block_queue_seconds", "container_block_device_seconds",
                  *("container_peer_%s_total" % what for what in ("bytes", "connections", "errors", "wait_seconds")),
                  *("container_tcp_%s_seconds" % what for what in ("connect", "rtt", "connection"))}


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = command("metrics")
        assert (done.returncode, done.stderr) == (0, ""), done
        cls.text = done.stdout
        cls.rows = {}
        for line in cls.text.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| `"):
                assert len(cells) == 7, line
                assert cells[0] not in cls.rows, line
                cls.rows[cells[0].strip("`")] = cells

    def test_the_documentation_is_its_output(self):
        with open(ROOT + "/docs/metrics.md", encoding="utf-8") as file:
            self.assertEqual(file.read(), self.text)

    def test_the_page_has_what_the_catalogue_says_and_nothing_else(self):
        here, there = Netns(), Netns()
        here.cable(there, 9)
        runtime = RuncRuntime(Rootfs(with_workloads=False))
        for one in (here, there):
            self.addCleanup(one.remove)
        self.addCleanup(runtime.close)
        runtime.run("everything", ["sh", "-c", "while sleep 0.05; do echo >/dev/null; done"], cgroup=PREFIX + "/plain",
                    network=here.path, cpus=0.5)
        every = {probe: {"enabled": True} for probe in probes()}
        with Agent(dict(CONFIG, self={"bpf_stats": True}, probes=every)) as agent:
            agent.metrics()
            families = agent.wait_value("container_io_bytes_total", bool, id=PREFIX + "/plain", direction="write")
        self.assertEqual(set(families) - set(self.rows), set())
        absent = {name for name in self.rows if reason_of_absence(name, fexit=True)}
        self.assertEqual(set(self.rows) - set(families) - NOT_EVERYWHERE - absent, set())
        for name, family in families.items():
            _, kind, unit, labels, meaning, source, _ = self.rows[name]
            self.assertEqual(family.type, kind, name)
            self.assertEqual(family.help, meaning, name)
            self.assertTrue(source, name)
            base = re.sub(r"_total$", "", name)
            self.assertTrue(unit == "–" or base.endswith("_" + unit), (name, unit))
            used = {label for sample in family.samples for label in sample.labels} - {"id", "name", "image", "le"}
            promised = set(re.findall(r"[a-z_]+", re.sub(r"\(.*?\)", "", labels)))
            self.assertEqual({label for label in used if label not in promised}, set(), name)


class Check(unittest.TestCase):
    def test_every_line_has_a_verdict_a_subject_and_a_detail(self):
        done = command("check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        table, verdict = done.stdout.split("\n\n")
        rows = [re.fullmatch(r"(ok|--|FAIL)\s{2,}(\S.*?)\s{2,}(\S.*)", line) for line in table.splitlines()]
        self.assertNotIn(None, rows)
        self.assertEqual(len({row.start(3) for row in rows}), 1, "the details are not aligned")
        subjects = [row.group(2) for row in rows]
        for wanted in ("cgroups", "capabilities", "kernel types (BTF)", "runtime docker", "probe ledger",
                       "probe process", "probe smoothing"):
            self.assertIn(wanted, subjects)
        ledger = rows[subjects.index("probe ledger")].group(3)
        self.assertIn("sched_switch", ledger)
        self.assertEqual(verdict, "The agent would start here.\n")

    def test_a_probe_that_is_switched_off_is_told(self):
        done = command("check", "--config", config_file({"probes": {"process": {"enabled": False}}}))
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^-- +probe process +.*configuration")

    def test_it_fails_where_the_daemon_would(self):
        nothing = config_file({"probes": {probe: {"enabled": False} for probe in probes()}})
        self.assertEqual(command("check", "--config", nothing).returncode, 1)
        done = command("daemon", "--config", nothing, "--web.listen-address", "127.0.0.1:0")
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1))
        self.assertIn("no probe", done.stderr)


if __name__ == "__main__":
    unittest.main()
