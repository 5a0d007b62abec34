# SPDX-License-Identifier: Apache-2.0
"""Our dashboard, and the queries of dashboards and alerts made for cAdvisor, against a real Prometheus under load."""

import json
import os
import re
import shutil
import sys
import time
import unittest

from testbed import (Agent, Cgroup, Daemon, DockerRuntime, LoopDisk, Netns, Pod, Prometheus, RuncRuntime, burner_argv, run,
                     wait_until, workdir)

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
DASHBOARD = ROOT + "/deploy/grafana/plimsoll-overview.json"
RULES = ROOT + "/deploy/prometheus/cadvisor-rules.yml"
SCRAPES = 14
RATE = "10s"
PACKAGES = ("typescript@5.9.3", "@grafana/schema@13.2.3")
LIMIT = 64 << 20
# What is 0 where all is well; all other panels show the load.
TROUBLE = "residual|oom|swap|lost|pgmajfault|dropped|errors|pressure|retransmits|failures|overflow|resets|throttled"

# In JSON stand the values of TypeScript's enums, not their members.
TYPE_CHECK = """
import type { Dashboard } from '@grafana/schema';
type Json<T> = T extends string ? `${T}` : T extends (infer Item)[] ? Json<Item>[]
    : T extends object ? { [Key in keyof T]: Json<T[Key]> } : T;
export const dashboard: Json<Dashboard> = %s;
"""

# What the popular dashboards and alert rules ask, metric by metric, with the labels they select on: the Kubernetes mixin,
# dotdc's pod view, dockprom, Grafana 193 and awesome-prometheus-alerts. $node and the like are filled in.
DISKS = r'device=~"(/dev.+)|mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dm-.+|dasd.+"'
ON_DOCKER = (
    'sum(rate(container_cpu_user_seconds_total{image!=""}[R])) / scalar(sum(machine_cpu_cores)) * 100',
    'sum by (name) (rate(container_cpu_usage_seconds_total{image!="",container_label_org_label_schema_group=""}[R]))',
    'sum by (name) (rate(container_cpu_user_seconds_total{image!="",name=~".+"}[R])) * 100',
    'sum by (name) (container_memory_usage_bytes{image!=""})',
    'sum by (name) (container_memory_cache{image!="",name=~".+"})',
    'scalar(count(container_memory_usage_bytes{image!=""}) > 0)',
    'sum(container_fs_usage_bytes)',
    'sum by (name) (rate(container_network_receive_bytes_total{image!="",interface=~".+"}[R]))',
    'sum by (name) (rate(container_network_transmit_bytes_total{image!=""}[R]))',
    'count(container_last_seen{image!=""})',
    'time() - container_last_seen{name=~".+"} < 60',
    'machine_cpu_cores',
    'sum by (instance, name) (rate(container_cpu_usage_seconds_total{name!=""}[R])) * 100',
    'sum by (instance, name) (container_memory_working_set_bytes{name!=""}) / '
    'sum by (instance, name) (container_spec_memory_limit_bytes > 0) * 100',
    '(1 - (sum by (instance) (container_fs_inodes_free{name!=""}) / sum by (instance) (container_fs_inodes_total))) * 100',
    'sum by (instance, name) (rate(container_cpu_usage_seconds_total{name!=""}[R])) / '
    'sum by (instance, name) (container_spec_cpu_quota{name!=""} / container_spec_cpu_period{name!=""})',
    'rate(container_cpu_cfs_throttled_periods_total{container!="x",name!=""}[R]) / '
    'rate(container_cpu_cfs_periods_total{name!=""}[R])',
    'container_oom_events_total{name!=""}',
)
ON_KUBERNETES = (
    'sum by (cluster, namespace, pod, container) (rate(container_cpu_usage_seconds_total{job="cadvisor",image!=""}[R]))',
    'sum(increase(container_cpu_cfs_throttled_periods_total{job="cadvisor",container!="",namespace="prod",pod="shop-7f9"}'
    '[R])) by (container) / sum(increase(container_cpu_cfs_periods_total{job="cadvisor",container!="",namespace="prod"}'
    '[R])) by (container)',
    'sum(rate(container_cpu_cfs_throttled_seconds_total{namespace="prod",pod="shop-7f9",image!="",container!=""}[R])) '
    'by (container)',
    'sum(container_memory_working_set_bytes{job="cadvisor",namespace="prod",container!="",image!=""}) by (container)',
    'sum(container_memory_rss{job="cadvisor",namespace="prod",container!=""}) by (container)',
    'sum(container_memory_cache{job="cadvisor",namespace="prod",container!=""}) by (container)',
    'sum(container_memory_swap{job="cadvisor",namespace="prod",container!=""}) by (container)',
    'sum by (pod) (rate(container_fs_reads_total{job="cadvisor",container!="",%s,namespace="prod"}[R]))' % DISKS,
    'sum by (pod) (rate(container_fs_writes_total{job="cadvisor",container!="",%s,namespace="prod"}[R]))' % DISKS,
    'sum by (pod) (rate(container_fs_reads_bytes_total{job="cadvisor",container!="",%s,namespace="prod"}[R]))' % DISKS,
    'sum by (pod) (rate(container_fs_writes_bytes_total{job="cadvisor",container!="",%s,namespace="prod"}[R]))' % DISKS,
    'sum(rate(container_network_receive_bytes_total{job="cadvisor",namespace="prod",pod=~"shop-7f9"}[R])) by (pod)',
    'sum(rate(container_network_transmit_bytes_total{job="cadvisor",namespace="prod",pod=~"shop-7f9"}[R])) by (pod)',
    'sum(rate(container_network_receive_packets_total{job="cadvisor",namespace="prod"}[R])) by (pod)',
    'sum(rate(container_network_transmit_packets_total{job="cadvisor",namespace="prod"}[R])) by (pod)',
    'sum(rate(container_network_receive_packets_dropped_total{job="cadvisor",namespace="prod"}[R])) by (pod)',
    'sum(rate(container_network_transmit_packets_dropped_total{job="cadvisor",namespace="prod"}[R])) by (pod)',
    'sum(rate(container_network_receive_errors_total{namespace="prod",pod="shop-7f9"}[R])) by (pod)',
    'sum(rate(container_network_transmit_errors_total{namespace="prod",pod="shop-7f9"}[R])) by (pod)',
    'sum(increase(container_oom_events_total{namespace="prod",container!=""}[R])) by (container)',
)

# Burns more than its quota, keeps two threads on one CPU, and writes to and reads from the disk all the time.
LOAD = ("while :; do dd if=/dev/zero of=/data/$$ bs=64k count=16 oflag=direct; dd if=/data/$$ of=/dev/null bs=64k "
        "iflag=direct; true | cat; done 2>/dev/null & exec " + " ".join(burner_argv(1000, 2)))


# Talks to itself over each kind of socket, waits for the answers, is refused and resets connections.
TALK = """
import socket, struct, threading, time
listener = socket.create_server(("127.0.0.1", 7001))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 7001))
local, far = socket.socketpair()
def answer():
    while True:
        with listener.accept()[0] as connection:
            connection.recv(1)
            time.sleep(0.02)
            connection.sendall(b"x" * 100)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            datagrams.recv(10)
            far.sendall(far.recv(10))
threading.Thread(target=answer, daemon=True).start()
while True:
    with socket.create_connection(("127.0.0.1", 7001)) as connection:
        connection.sendall(b"x")
        connection.recv(100)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 7001))
    local.sendall(b"x")
    local.recv(10)
    socket.socket().connect_ex(("127.0.0.1", 7002))
"""


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


class Form(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(DASHBOARD, encoding="utf-8") as file:
            cls.text = file.read()
        cls.dashboard = json.loads(cls.text)

    def check(self, text):
        """What TypeScript says of a dashboard's JSON; empty when it is one."""
        with open(self.dir + "/dashboard.ts", "w", encoding="utf-8") as file:
            file.write(TYPE_CHECK % text)
        done = run(["node", self.dir + "/node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck",
                    "--moduleResolution", "bundler", "--module", "esnext", "--target", "es2022", "dashboard.ts"],
                   check=False, timeout=120, cwd=self.dir)
        return done.stdout

    def test_it_fits_grafanas_published_types(self):
        self.dir = workdir()
        run(["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES], timeout=180, cwd=self.dir)
        self.assertEqual(self.check(self.text), "")
        for wrong in (self.text.replace('"schemaVersion": ', '"schemaVersion": "x" + ', 1),
                      self.text.replace('"palette-classic"', '"palette-plain"', 1),
                      self.text.replace('"gridPos"', '"position"', 1)):
            self.assertIn("error TS", self.check(wrong))

    def test_panels_neither_overlap_nor_share_an_id_and_each_has_a_title(self):
        taken, numbers = {}, set()
        for panel in panels(self.dashboard):
            self.assertTrue(panel["title"])
            self.assertNotIn(panel["id"], numbers)
            numbers.add(panel["id"])
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), taken, "%s over %s" % (panel["title"], taken.get((x, y))))
                    taken[x, y] = panel["title"]

    def test_it_names_no_data_source_of_its_own(self):
        for panel in panels(self.dashboard):
            for source in (panel, *panel.get("targets", [])):
                if "datasource" in source:
                    self.assertEqual(source["datasource"]["uid"], "${datasource}")


class Documented(unittest.TestCase):
    def test_the_configuration_to_paste_is_the_one_in_deploy_and_promtool_likes_it(self):
        with open(ROOT + "/docs/prometheus-and-grafana.md", encoding="utf-8") as page:
            block = re.search(r"^```yaml\n(.*?)^```", page.read(), re.M | re.S).group(1)
        with open(ROOT + "/deploy/prometheus/prometheus.yml", encoding="utf-8") as file:
            self.assertTrue(file.read().endswith("\n" + block))
        folder = workdir()
        with open(folder + "/prometheus.yml", "w", encoding="utf-8") as file:
            file.write(block)
        shutil.copy(RULES, folder)
        run(["promtool", "check", "config", folder + "/prometheus.yml"])


class Queries(unittest.TestCase):
    """Docker's and a pod's containers under load, with networks of their own."""

    @classmethod
    def setUpClass(cls):
        cls.pod = Pod()
        docker = DockerRuntime()
        cls.addClassCleanup(docker.close)
        runc = RuncRuntime()
        cls.addClassCleanup(runc.close)
        cls.enterClassContext(Cgroup(cls.pod.cgroup))
        cls.agent = Agent({"probes": {"io": {"enabled": True}}}, runtimes=[docker, cls.pod])
        cls.addClassCleanup(cls.agent.stop)
        disk = LoopDisk(mounted=True)
        work = {"mounts": [(disk.path, "/data")], "memory": LIMIT}
        cls.web = docker.run("web", ["sh", "-c", LOAD], cpus=0.3, options=["--pids-limit=100"], **work)
        front = runc.run("front", ["sh", "-c", LOAD], cpus=0.2, cgroup=cls.pod.container("front", "front:1"), **work)
        disk.count_for(cls.web.cgroup)
        disk.count_for(front.cgroup)
        cls.connect(cls.web, 1)
        cls.connect(front, 2)
        cls.talk(cls.web)
        cls.prometheus = Prometheus([cls.agent], rules=[RULES], job="cadvisor")
        cls.addClassCleanup(cls.prometheus.stop)
        cls.prometheus.wait_scrapes(SCRAPES)

    @classmethod
    def connect(cls, container, number):
        """An interface in the container's network namespace, and a pinging peer at the other end of its cable."""
        peer = Netns()
        cls.addClassCleanup(peer.remove)
        peer.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(container.pid))
        peer.ip("address", "add", "10.235.%d.1/24" % number, "dev", "eth0")
        peer.ip("link", "set", "eth0", "up")
        inside = ["nsenter", "-t", container.pid, "-n", "ip"]
        run([*inside, "address", "add", "10.235.%d.2/24" % number, "dev", "eth0"])
        run([*inside, "link", "set", "eth0", "up"])
        pings = Daemon(["ip", "netns", "exec", peer.name, "ping", "-q", "-i", "0.2", "10.235.%d.2" % number],
                       workdir() + "/pings")
        cls.addClassCleanup(pings.stop)

    @classmethod
    def talk(cls, container):
        inside = ["nsenter", "-t", container.pid, "-n"]
        run([*inside, "ip", "link", "set", "lo", "up"])
        process = container.cgroup.spawn([*inside, sys.executable, "-c", TALK])
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)

    def numbers(self, expression):
        """(how many values it returns, those that are numbers)"""
        result = self.prometheus.query(expression.replace("[R]", "[%s]" % RATE))
        values = [one["value"][1] for one in result] if isinstance(result, list) and result and isinstance(
            result[0], dict) else result
        return len(values), [value for value in values if str(value) not in ("NaN", "+Inf", "-Inf")]

    def ask(self, expression):
        """Whether it returns data, and none that is no number; of quantiles there has to be one, since that of a disk or a
        direction in which nothing happens any more is no number."""
        number, numbers = self.numbers(expression)
        return numbers and (len(numbers) == number or "histogram_quantile" in expression)

    def refused(self, expressions):
        """Those that return no data at any time: a quantile of what did not happen just now is no number."""
        end = time.monotonic() + 15
        missing = list(expressions)
        while missing:
            missing = [expression for expression in missing if not self.ask(expression)]
            if time.monotonic() > end:
                break
            time.sleep(0.5 if missing else 0)
        return missing

    def test_every_query_of_the_dashboard_returns_data(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            dashboard = json.load(file)
        values = {"$__rate_interval": RATE, "$__range": "30s", "$instance": ".+", "$job": ".+",
                  "$id": self.web.cgroup_path}
        expressions = set()
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                expression = target["expr"]
                for variable, value in values.items():
                    expression = expression.replace(variable, value)
                self.assertNotIn("$", expression)
                expressions.add(expression)
        self.assertGreater(len(expressions), 40)
        self.assertEqual(self.refused(sorted(expressions)), [])
        at_work = {expression for expression in expressions if not re.search(TROUBLE, expression)}
        self.assertGreater(len(at_work), 0.7 * len(expressions))
        still = set(at_work)

        def all_moved():
            still.difference_update(still - self.zeros(still))
            return not still
        wait_until(all_moved, 30, lambda: "something but 0 from %s" % still, interval=0.5)

    def zeros(self, expressions):
        return {expression for expression in expressions if not any(map(float, self.numbers(expression)[1]))}

    def test_the_variables_find_hosts_and_containers(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            variables = {one["name"]: one for one in json.load(file)["templating"]["list"]}
        query = re.fullmatch(r"query_result\((.*)\)", variables["id"]["query"]["query"]).group(1)
        text = query.replace("$instance", ".+").replace("$job", ".+")
        found = {}
        pattern = variables["id"]["regex"].strip("/g").replace("(?<", "(?P<")
        for one in self.prometheus.query(text):
            labels = ",".join('%s="%s"' % pair for pair in sorted(one["metric"].items()) if pair[0] != "__name__")
            parts = [match.groupdict() for match in re.finditer(pattern, "container_info{%s} 1" % labels)]
            merged = {key: value for part in parts for key, value in part.items() if value}
            found[merged["value"]] = merged.get("text")
        self.assertEqual(found[self.web.cgroup_path], "web")

    def test_the_queries_of_dashboards_for_docker_return_data(self):
        self.assertEqual(self.refused(ON_DOCKER), [])

    def test_the_queries_of_dashboards_for_kubernetes_return_data(self):
        self.assertEqual(self.refused(ON_KUBERNETES), [])

    def test_the_recording_rules_record(self):
        run(["promtool", "check", "rules", RULES])
        with open(RULES, encoding="utf-8") as file:
            names = re.findall(r"record: (\S+)", file.read())
        self.assertEqual(len(names), 6)
        labels = '{namespace="prod",pod="shop-7f9",container="front",node="127.0.0.1:%d"}' % self.agent.port
        self.assertEqual(self.refused(name + labels for name in names), [])


if __name__ == "__main__":
    unittest.main()
