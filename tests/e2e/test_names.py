# SPDX-License-Identifier: Apache-2.0
"""Who a container is: names, images and labels of real runtimes, and what hostile names and files do to the page."""

import json
import os
import time
import unittest
import unittest.mock

from testbed import (Agent, Born, Cgroup, ContainerdRuntime, DockerRuntime, LxcRuntime, NspawnRuntime, Pod, PodmanRuntime,
                     Rootfs, RuncRuntime, command, note, run, workdir)

PREFIX = "/plimsoll-names"
PODMAN_IMAGE = "localhost/plimsoll-busybox:1"
LABELS = {"com.example.team": 'quotes " and \\ and\nline feeds', "plain": "value"}


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def shown(families):
    """{cgroup path: (labels of its series, labels of its container_info)}"""
    infos = {sample.labels["id"]: sample.labels for sample in families.samples("container_info")}
    return {sample.labels["id"]: (sample.labels, infos[sample.labels["id"]])
            for sample in families.samples("container_threads")}


def listed(agent):
    """What `plimsoll list` says with the agent's configuration: {cgroup path: entry}"""
    done = command("list", "--format", "json", "--config", agent.config_path, check=True)
    return {one["cgroup"]: one for one in json.loads(done.stdout)}


class Case(unittest.TestCase):
    def check_agreement(self, agent, cgroups):
        page, entries = shown(agent.metrics()), listed(agent)
        for cgroup in cgroups:
            series, info = page[cgroup]
            entry = entries[cgroup]
            for label in ("name", "image"):
                self.assertEqual(series.get(label, ""), entry[label], cgroup)
            self.assertEqual((info["runtime"], info.get("container_id", "")), (entry["runtime"], entry["id"]))


class Runtimes(Case):
    """Each real runtime, with the agent started before and after the container."""

    @classmethod
    def setUpClass(cls):
        cls.rootfs = Rootfs(with_workloads=False)

    def check(self, runtime_class, **expected):
        with runtime_class(self.rootfs) as runtime, Agent(runtimes=[runtime]) as early:
            containers = [runtime.run("first", ["sleep", "1000"]), runtime.run("second", ["sleep", "1000"])]
            at_once = shown(early.metrics())
            with Agent(runtimes=[runtime]) as late:
                for page in (at_once, shown(late.metrics())):
                    for container in containers:
                        series, info = page[container.cgroup_path]
                        self.assertEqual(series, {"id": container.cgroup_path, **self.labels(container, expected)})
                        self.assertEqual(info["runtime"], runtime.NAME)
                        self.assertEqual(info["container_id"], container.id)
                    self.no_helpers(runtime, page, containers)
                self.check_agreement(late, [container.cgroup_path for container in containers])

    def labels(self, container, expected):
        found = {"name": container.name, "image": expected.get("image")}
        return {name: value for name, value in found.items() if value}

    def no_helpers(self, runtime, page, containers):
        """Nothing else of this runtime is on the page: no monitor, shim, or parent. Others' containers may be."""
        own = {container.cgroup_path for container in containers}
        pids = run(["pgrep", "-f", runtime.dir], check=False).stdout.split()
        for pid in pids:  # its daemons, shims and monitors, as they name its directory
            try:
                with open("/proc/%s/cgroup" % pid, encoding="utf-8") as lines:
                    path = lines.read().rsplit("0::", 1)[1].strip()
            except FileNotFoundError:
                continue
            self.assertNotIn(path, set(page) - own, "the helper %s is a container" % pid)
        for parent in runtime.PARENTS:
            self.assertNotIn(parent, page)

    def test_podman(self):
        self.check(PodmanRuntime, image=PODMAN_IMAGE)
        note("service", "names what podman runs", "yes")

    def test_the_container_that_only_holds_a_podman_pod_is_none(self):
        settings = workdir() + "/containers.conf"
        with open(settings, "w", encoding="utf-8") as file:  # it has no option for the limits of that container
            file.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')
        with (unittest.mock.patch.dict(os.environ, CONTAINERS_CONF=settings), PodmanRuntime(self.rootfs) as runtime,
              Agent(runtimes=[runtime]) as agent):
            pod = runtime.command("pod", "create", "--name", "trio", "--share", "ipc", "--infra-image", PODMAN_IMAGE,
                                  "--infra-command", "sleep 1000").stdout.strip()
            path = "/libpod_parent/" + pod
            self.addCleanup(Cgroup(path).remove)
            member = runtime.command("run", "-d", "--pod", "trio", "--name", "one", "--network=none",
                                     PODMAN_IMAGE, "sleep", "1000").stdout.strip()
            page = shown(agent.metrics())
            self.assertEqual({cgroup for cgroup in page if pod in cgroup}, {"%s/libpod-%s" % (path, member)})
            self.assertEqual(page["%s/libpod-%s" % (path, member)][0]["name"], "one")
            states = runtime.command("ps", "--format", "{{.Names}}").stdout.split()
            self.assertEqual(sorted(states), sorted([pod[:12] + "-infra", "one"]))  # it did run
            runtime.command("pod", "rm", "-f", "-t", "0", "trio")

    def test_containerd(self):
        self.check(ContainerdRuntime)  # ctr writes the image's name nowhere in the bundle

    def test_lxc(self):
        self.check(LxcRuntime)

    def test_nspawn(self):
        self.check(NspawnRuntime)


class Docker(Case):
    @classmethod
    def setUpClass(cls):
        cls.runtime = DockerRuntime(Rootfs(with_workloads=False))
        cls.addClassCleanup(cls.runtime.close)

    def agent(self):
        return Agent({"containers": {"labels": ["*"]}}, [self.runtime])

    def metadata(self, container):
        return "%s/data/containers/%s/config.v2.json" % (self.runtime.dir, container.id)

    def docker(self, *arguments):
        return run(["docker", "-H", "unix://" + self.runtime.socket, *arguments])

    def test_names_images_labels_and_renames(self):
        with self.agent() as early:
            web = self.runtime.run("web", ["sleep", "1000"], labels=LABELS)
            with self.agent() as late:
                for agent in (early, late):
                    series, info = shown(agent.metrics())[web.cgroup_path]
                    self.assertEqual(series, {"id": "/docker/" + web.id, "name": "web", "image": "plimsoll/busybox:1"})
                    self.assertEqual((info["runtime"], info["container_id"]), ("docker", web.id))
                    self.assertEqual(info["label_com_example_team"], LABELS["com.example.team"])
                    self.assertEqual(info["label_plain"], "value")
                self.check_agreement(late, [web.cgroup_path])
            self.docker("rename", "web", "web-old")
            other = self.runtime.run("web", ["sleep", "1000"])  # takes over the name
            early.wait_value("container_threads", lambda value: value == 1, id=web.cgroup_path, name="web-old")
            page = shown(early.metrics())
            self.assertEqual(page[other.cgroup_path][0]["name"], "web")
            self.assertEqual({series.get("name") for series, _ in page.values() if series["id"].startswith("/docker/")}
                             & {"web", "web-old"}, {"web", "web-old"})
            self.check_agreement(early, [web.cgroup_path, other.cgroup_path])

    def test_garbled_metadata_leave_the_container_watched_by_its_id(self):
        victim = self.runtime.run("victim", ["sleep", "1000"])
        path = self.metadata(victim)
        with open(path, "rb") as file:
            intact = file.read()

        def fifo():
            os.mkfifo(path)
        garbage = {"empty": b"", "cut off": intact[:len(intact) // 2], "no JSON": os.urandom(4096), "a number": b"7",
                   "deep": b"[" * 100000, "wrong types": b'{"Name": 7, "Config": [], "ID": {}}',
                   "large": b" " * (5 << 20)}
        for what, content in [*garbage.items(), ("missing", None), ("a FIFO", fifo)]:
            with self.subTest(what):
                os.unlink(path)
                if isinstance(content, bytes):
                    with open(path, "wb") as file:
                        file.write(content)
                elif content:
                    content()
                with self.agent() as agent:
                    families = agent.metrics()
                    series, info = shown(families)[victim.cgroup_path]
                    self.assertEqual(series, {"id": victim.cgroup_path})
                    self.assertEqual((info["runtime"], info["container_id"]), ("docker", victim.id))
                    self.assertEqual(families.value("container_threads", id=victim.cgroup_path), 1)
                if content is None:  # for the next one to remove
                    open(path, "wb").close()
        os.unlink(path)
        with open(path, "wb") as file:
            file.write(intact)

    def test_hostile_names_in_metadata_reach_the_page_as_they_are_or_replaced(self):
        victim = self.runtime.run("hostile", ["sleep", "1000"])
        with open(self.metadata(victim), "rb") as file:
            intact = file.read()
        self.addCleanup(self.write, self.metadata(victim), intact)
        for name, wanted in (('a"b\\c\nd', 'a"b\\c\nd'), ("\u202eevil", "\u202eevil"), ("x" * 255, "x" * 255),
                             ("nul\0esc\x1b[2J", "nul\ufffdesc\ufffd[2J"),
                             ('"} 1\nfake_metric 2', '"} 1\nfake_metric 2')):
            with self.subTest(name):
                document = json.loads(intact)
                document["Name"] = "/" + name
                self.write(self.metadata(victim), json.dumps(document).encode())
                with self.agent() as agent:
                    families = agent.metrics()
                    self.assertEqual(shown(families)[victim.cgroup_path][0]["name"], wanted)
                    self.assertNotIn("fake_metric", families)

    @staticmethod
    def write(path, content):
        with open(path, "wb") as file:
            file.write(content)


class Kubernetes(Case):
    """The cgroups and bundles as containerd's CRI plugin makes them, around real processes in runc containers."""

    def test_a_pods_container_is_one_and_its_sandbox_is_none(self):
        pod = Pod()
        pause, front = pod.sandbox(), pod.container("front", "registry.example/front:3")
        with Cgroup(pod.cgroup), RuncRuntime() as runtime, Agent(runtimes=[pod]) as agent:
            for name, path in (("pause", pause), ("front", front)):
                runtime.run(name, ["sleep", "1000"], cgroup=path)
            page = shown(agent.metrics())
            self.assertNotIn(pause, page)
            self.assertNotIn(pod.cgroup, page)
            series, info = page[front]
            self.assertEqual(series, {"id": front, "name": "front", "image": "registry.example/front:3",
                                      "container": "front", "pod": "shop-7f9", "namespace": "prod"})
            self.assertEqual((info["runtime"], info["container_id"], info["pod_uid"]),
                             ("containerd", "b2" * 32, pod.uid))
            self.check_agreement(agent, [front])


class HostilePaths(Case):
    FAITHFUL = ('quote"brace}', "back\\slash", "comma, equals=", "a b\tc", "\u00fcml\u00e4ut \u2603", "x" * 255, "%s%n",
                "#", "...")
    # No text as it stands; the first two and the last two would look alike on the page.
    REPLACED = ("n\udcff", "n\udcfe", "\udcc3(", "\x1b[2Jred", "\x1c[2Jred")

    def test_every_directory_name_gives_one_series_of_its_own(self):
        groups = [Cgroup("%s/%s" % (PREFIX, name)) for name in self.FAITHFUL + self.REPLACED]
        deep = Cgroup(PREFIX + "-deep" + "/d" * 100)
        long_path = Cgroup(PREFIX + "-deep" + "".join("/" + letter * 250 for letter in "abcdefgh"))
        config = {"containers": {"discover": [], "cgroups": [
            {"path": PREFIX + "/*"}, {"path": deep.path}, {"path": long_path.path, "name": "long"}]}}
        with Agent(config) as early:
            born = []
            for group in [*groups, deep, long_path]:
                self.addCleanup(group.remove)
                born.append(Born(group.create(), lambda: time.sleep(1000)))
            with Agent(config) as late:
                pages = [shown(agent.metrics()) for agent in (early, late)]
                entries = listed(late)
                born.pop().kill()
                long_path.remove()  # its path is longer than an event can tell
                after = {agent: agent.value("container_threads", name="long") for agent in (early, late)}
        for page in pages:
            self.assertEqual(set(page), set(pages[0]))
            self.assertEqual(len(page), len(born) + 1)
            self.assertEqual([group.path for group in groups[:len(self.FAITHFUL)] if group.path not in page], [])
            self.assertIn(deep.path, page)
        self.assertEqual(len(entries), len(born) + 1 - 1)  # JSON cannot tell the first two of REPLACED apart
        self.assertEqual(set(after.values()), {0})


if __name__ == "__main__":
    unittest.main()
