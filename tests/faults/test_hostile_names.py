# SPDX-License-Identifier: Apache-2.0
"""Names from hostile hands, in paths and in the runtimes' files: the page parses, says what they are, and mixes nothing up."""

import json
import os
import shutil
import unittest

from under_load import (SLOWNESS, Agent, Born, Cgroup, Crowd, has_children, parse, promtool_check, wait_until,
                        workdir)

PREFIX = "/plimsoll-test-names"
EXITS = "container_process_exits_total"

PATHS = ('quote"brace}', "back\\slash", "\\n", "comma, equals=", "a b\tc", "\u00fcml\u00e4ut \u2603", "x" * 255,
         "\u202eevil", '"} 1 fake_metric 2', "#", "...", "%s%n", "caf\u00e9", "cafe\u0301")
# No text as they stand, and two of each kind would look alike.
NO_TEXT = ("n\udcff", "n\udcfe", "\udcc3(", "\udcc3)", "\x1b[2Jred", "\x1c[2Jred", "\udced\udca0\udc80", "\x7f" * 255)


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def check(page, case):
    parse(page)
    if SLOWNESS == 1 or shutil.which("promtool"):  # virtual machines do without it
        case.assertEqual(promtool_check(page), (0, ""))


class Paths(unittest.TestCase):
    def populate(self, paths):
        """A process in each, with one more child than the one before."""
        for number, path in enumerate(paths, 1):
            group = Cgroup(path)
            self.addCleanup(group.remove)
            self.addCleanup(Born(group.create(), has_children(number)).kill)

    def counted(self, agent, expected):
        """{id: children}, once all of them have lived."""
        agent_counts = lambda: agent.metrics().by("id", EXITS, outcome="success")
        wait_until(lambda: sorted(agent_counts().values()) == expected, 20, "%d containers' children" % len(expected))
        return agent_counts()

    def test_each_directory_has_its_own_series_and_its_own_count(self):
        top = PREFIX + "/paths"
        deep = top + "-deep" + "/d" * 100
        long_path = top + "-deep" + "".join("/" + letter * 250 for letter in "abcdefgh")
        paths = ["%s/%s" % (top, name) for name in PATHS + NO_TEXT] + [deep, long_path, long_path + "i"]
        self.addCleanup(Cgroup(top).remove)
        self.addCleanup(Cgroup(top + "-deep").remove)
        rules = [{"path": top + "/*"}, {"path": deep}, {"path": long_path + "*"}]
        with Agent({"containers": {"discover": [], "cgroups": rules}}) as agent:
            self.populate(paths)
            counts = self.counted(agent, list(range(1, len(paths) + 1)))
            self.assertEqual(len(counts), len(paths))
            for number, path in enumerate(paths, 1):
                if not set(path) & set("".join(NO_TEXT)) - set("n(red[2J)") and len(path) < 1000:
                    self.assertEqual(counts.get(path), number, path)
            check(agent.page(), self)

    def test_a_name_that_another_ones_replacement_has_is_another_container(self):
        """Whoever knows how the agent writes what is no text can give a directory that very name."""
        odd = PREFIX + "/forged/\udcff"
        self.addCleanup(Cgroup(PREFIX + "/forged").remove)
        rule = {"path": PREFIX + "/forged/*", "name": "one name for all"}
        with Agent({"containers": {"discover": [], "cgroups": [rule]}}) as agent:
            self.populate([odd])
            (written,) = self.counted(agent, [1])
            self.assertNotEqual(written, odd)
            self.populate([written, written + "#" + "0" * 16])
            self.counted(agent, [1, 1, 2])

    def test_the_kernel_refuses_line_feeds(self):
        with Crowd(Cgroup(PREFIX + "/refused")) as crowd, self.assertRaises(OSError):
            crowd.add("line\nfeed")


LIMIT = 1024  # bytes of a label's value, escaped


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def value(text):
    """What the page must say for it: control characters replaced, cut between characters."""
    wanted = "".join("\ufffd" if (ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 else c for c in text)
    while len(escaped(wanted).encode()) > LIMIT:
        wanted = wanted[:-1]
    return wanted


NAMES = ('a"b\\c\nd', "\\", '\\"', "\\n", "\n", "\n" * 1000, '"' * LIMIT, "\\" * LIMIT, "\u2603" * 341, "\u00fc" * 512,
         "x" * 255, "x" * LIMIT, "nul\0esc\x1b[2J", "\u202eevil", '"} 1\nfake_metric 2\n# EOF\n', "\x80\x9f\ufffe", "{}", "tab\t",
         "trailing ", "# HELP a b", "\U0001f4a9")
UNREADABLE = {"too long": json.dumps({"Name": "/" + "x" * 5000, "Config": {"Image": "y" * 5000}}).encode(),
              "half a surrogate": b'{"Name": "/\\ud800"}', "no UTF-8": b'{"Name": "/a\xff\xfe"}',
              "deep": b"[" * 100000, "nothing": b"", "another type": b'{"Name": {"a": 1}, "Config": "x"}',
              "twice": b'{"Name": 1, "Name": null}'}


class Metadata(unittest.TestCase):
    """Directories as Docker makes them, with config.v2.json files from hostile hands."""

    def setUp(self):
        self.root = workdir()
        self.crowd = self.enterContext(Crowd(Cgroup(PREFIX + "/docker")))
        self.count = 0

    def container(self, content):
        """A container with that file; its path."""
        self.count += 1
        container_id = "%064x" % self.count
        os.makedirs("%s/containers/%s" % (self.root, container_id))
        with open("%s/containers/%s/config.v2.json" % (self.root, container_id), "wb") as file:
            file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
        return self.crowd.add(container_id)

    def agent(self, **containers):
        return Agent({"containers": {"discover": ["docker"], "include": [{"cgroup": PREFIX + "/**"}], "labels": ["*"],
                                     "roots": {"docker": self.root}, **containers}})

    def seen(self, agent):
        """({path: labels of its series}, {path: labels of its container_info})"""
        page = agent.page()
        check(page, self)
        families = agent.metrics()
        self.assertNotIn("fake_metric", families)
        return tuple({sample.labels["id"]: sample.labels for sample in families.samples(name)}
                     for name in ("container_threads", "container_info"))

    def test_names_and_images_are_what_they_are_and_the_same_name_twice_is_two_containers(self):
        paths = {}
        for name in NAMES:
            for _ in range(2):
                paths[self.container({"Name": "/" + name, "Config": {"Image": name}})] = name
        with self.agent() as agent:
            series, _ = self.seen(agent)
            self.assertEqual(set(series), set(paths))
            for path, name in paths.items():
                # a string of more bytes than the limit is not read at all; the slash is one of them
                whole = name if len(name.encode()) < LIMIT else ""
                self.assertEqual(series[path].get("name", ""), value(whole), ascii(name))
                self.assertEqual(series[path].get("image", ""), value(name), ascii(name))

    def test_what_cannot_be_read_costs_the_name_only(self):
        paths = [self.container(content) for content in UNREADABLE.values()]
        with self.agent() as agent:
            series, info = self.seen(agent)
            for path in paths:
                self.assertEqual(series[path], {"id": path})
                self.assertEqual(info[path]["container_id"], path.rpartition("/")[2])

    def test_labels_keep_their_values_and_never_meet(self):
        hostile = {"plain": 'va"l\\ue\n', "x\ny": "1", 'q"=}': "2", "\u2603": "3", "a.b": "dot", "a-b": "dash"}
        pod = {"io.kubernetes.pod.name": 'p"\\\n', "io.kubernetes.pod.namespace": '"} 1', "io.kubernetes.container.name": "\n"}
        paths = [self.container({"Name": "/labels", "Config": {"Labels": labels}}) for labels in (
            hostile, {"k%03d" % number: "v" * 1000 for number in range(1000)}, {"y" * 300 + "1": "1", "y" * 300 + "2": "2"}, pod)]
        with self.agent() as agent:
            series, info = self.seen(agent)
            label = {path: {name[6:]: text for name, text in info[path].items() if name.startswith("label_")}
                     for path in paths}
            self.assertEqual(label[paths[0]], {"plain": 'va"l\\ue\n', "x_y": "1", "q___": "2", "___": "3", "a_b": "dash"})
            self.assertEqual(label[paths[1]], {"k%03d" % number: "v" * 1000 for number in range(64)})
            self.assertEqual(label[paths[2]], {"y" * 128: "1"})
            self.assertEqual({name: series[paths[3]][name] for name in ("pod", "namespace", "container")},
                             {"pod": 'p"\\\n', "namespace": '"} 1', "container": "\n"})


if __name__ == "__main__":
    unittest.main()
