# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared: each is started, asked, and says what it attributes to a container.

An exporter answers when it is asked; a program that reports by itself is read line by line, so that its processes can
be looked up while they live.
"""

import gzip
import http.client
import json
import os
import re
import subprocess
import threading
import time
from collections import defaultdict

from plimsoll_testbed import HEADERS, Agent, cgroup_path, cpu_clock, free_port, parse, resident_mib, workdir
from plimsoll_testbed.shell import Daemon, end_process, run

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
PERIOD = 1  # seconds between two questions, or two reports


class Tool:
    """What it used is counted in the processes that helpers() and its own pid name.

    reports: it runs only while somebody looks, and reports by itself.
    """

    name = package = ""
    reports = False
    pid = None

    def helpers(self):
        """Processes of others that work for it."""
        return []

    def cpu(self):
        return sum(cpu_clock(pid) for pid in [self.pid, *self.helpers()] if pid)

    def kernel_cpu(self):
        """Seconds that programs of its own took in the kernel, in whatever process."""
        return 0.0

    def resident(self):
        return resident_mib(self.pid)

    def used(self, container, disk):
        """(CPU seconds, bytes written) that it has attributed so far; None for what it cannot tell. Bytes are those of
        the disk where it tells disks apart."""
        del container, disk
        return None, None

    def processes(self, container):
        """How many processes it has told of so far; None if it does not."""
        del container

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Exporter(Tool):
    """A page by HTTP, asked as Prometheus does."""

    port = page = None
    _daemon = None

    def argv(self):
        raise NotImplementedError

    def start(self):
        self.port = free_port()
        self._daemon = Daemon(self.argv(), workdir() + "/log")
        self.pid = self._daemon.pid
        self._daemon.wait_ready(self._answers)

    def stop(self):
        self._daemon.stop()

    def ask(self):
        """(seconds, bytes on the wire, bytes of the page)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        begin = time.monotonic()
        connection.request("GET", "/metrics", headers=HEADERS)
        response = connection.getresponse()
        body = response.read()
        took = time.monotonic() - begin
        connection.close()
        assert response.status == 200, body[:500]
        packed = response.getheader("Content-Encoding") == "gzip"
        self.page = gzip.decompress(body) if packed else body
        return took, len(body), len(self.page)

    def families(self):
        """A page of its own, in the older format."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode("utf-8")
        connection.close()
        return parse(text)

    def _answers(self):
        try:
            return bool(self.ask())
        except OSError:
            return False


class NodeExporter(Exporter):
    name, package = "node exporter", "prometheus-node-exporter"

    def argv(self):
        return ["prometheus-node-exporter", "--web.listen-address=127.0.0.1:%d" % self.port]


class ProcessExporter(Exporter):
    """A group for each cgroup."""

    name, package = "process-exporter", "prometheus-process-exporter"
    options = ()

    def argv(self):
        config = workdir() + "/groups.yaml"
        with open(config, "w", encoding="utf-8") as file:
            file.write("process_names:\n  - name: '{{.Cgroups}}'\n    cmdline: ['.+']\n")
        return ["prometheus-process-exporter", "-config.path", config, "-web.listen-address=127.0.0.1:%d" % self.port,
                *self.options]

    def used(self, container, _disk):
        families = self.families()

        def total(name):
            return sum(s.value for s in families.samples("namedprocess_namegroup_" + name)
                       if container.id in s.labels["groupname"])
        return total("cpu_seconds_total"), total("write_bytes_total")


class LightProcessExporter(ProcessExporter):
    name = "process-exporter, no threads, no smaps"
    options = ("-threads=false", "-gather-smaps=false")


class Plimsoll(Exporter):
    """With the kernel's clock around each run of its programs, so that their time is known."""

    name, package = "Plimsoll", None

    def __init__(self, runtimes):
        self._runtimes = runtimes

    def start(self):
        self._agent = Agent({"self": {"bpf_stats": True}, "log": {"level": "info"}}, self._runtimes)
        self.port, self.pid, self._daemon = self._agent.port, self._agent.pid, self._agent.daemon

    def kernel_cpu(self):
        return self.families().sum("plimsoll_program_run_seconds_total")

    def used(self, container, disk):
        families, of = self.families(), {"id": container.cgroup_path}
        return (families.value("container_thread_seconds_total", state="running", **of),
                families.sum("container_block_bytes_total", device=disk.device, direction="write", **of))

    def processes(self, container):
        return int(self.families().value("container_process_forks_total", id=container.cgroup_path))


class Reporter(Tool):
    """A program that reports by itself; take() gets each line as it comes."""

    reports = True
    once = ()  # the command for one report

    def __init__(self):
        self.cpu_seconds, self.written = defaultdict(float), defaultdict(float)
        self._unread = self._reports = 0

    def argv(self):
        raise NotImplementedError

    def take(self, line):
        raise NotImplementedError

    def start(self):
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "stdbuf", "-oL", *self.argv()],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
                                         env={**os.environ, "LC_ALL": "C", "S_TIME_FORMAT": "ISO"})
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def stop(self):
        end_process(self.pid)
        self._process.wait(10)
        self._reader.join()
        self._process.stdout.close()

    def ask(self):
        """What came since; how long it took to gather is not to be seen."""
        unread, self._unread = self._unread, 0
        return None, unread, unread

    def time_once(self):
        begin = time.monotonic()
        run(self.once)
        return time.monotonic() - begin

    def _read(self):
        for line in self._process.stdout:
            self._unread += len(line)
            self.take(line)


class Pidstat(Reporter):
    """Tells processes; which cgroup they are in is looked up here, at the line's arrival."""

    name, package = "pidstat", "sysstat"
    once = ["pidstat", "-h", "-u", "-d"]

    def __init__(self):
        super().__init__()
        self._paths, self._seen = {}, defaultdict(set)

    def argv(self):
        return [*self.once, "%d" % PERIOD]

    def take(self, line):
        fields = line.split()
        if len(fields) < 14 or not fields[2].isdigit():
            return
        pid = int(fields[2])
        if pid not in self._paths:
            try:
                self._paths[pid] = cgroup_path(pid)
            except OSError:
                return  # it has ended: nobody knows whose it was
        path = self._paths[pid]
        self.cpu_seconds[path] += float(fields[7]) / 100 * PERIOD
        self.written[path] += float(fields[10]) * 1024 * PERIOD
        self._seen[path].add(pid)

    def used(self, container, _disk):
        return self.cpu_seconds[container.cgroup_path], self.written[container.cgroup_path]

    def processes(self, container):
        return len(self._seen[container.cgroup_path])


class Cgtop(Reporter):
    name, package = "systemd-cgtop", "systemd"
    once = ["systemd-cgtop", "-b", "-r", "--cpu=time", "-n", "1"]

    def __init__(self):
        super().__init__()
        self._tells_io = False

    def argv(self):
        return [*self.once[:-1], "1000000", "-d", "%d" % PERIOD]

    def take(self, line):
        path, *fields = line.rsplit(None, 5) if line.strip() else [line]
        if len(fields) != 5:
            return
        path = path.strip()
        if fields[1] != "-":
            self.cpu_seconds[path] = float(fields[1]) / 1e6
        if fields[4] != "-":
            self._tells_io = True
            self.written[path] += float(fields[4]) * PERIOD

    def used(self, container, _disk):
        return self.cpu_seconds[container.cgroup_path], self.written[container.cgroup_path] if self._tells_io else None


class DockerStats(Reporter):
    """The client, and the daemons and shims that gather for it."""

    name, package = "docker stats", "docker.io"
    SHOWN = 0.5  # the client shows the newest twice a second

    def __init__(self, docker):
        super().__init__()
        self._docker = docker
        command = docker.client("stats", "--no-trunc", "--format", "{{json .}}")
        self._argv, self.once = command, [*command, "--no-stream"]

    def argv(self):
        return self._argv

    def helpers(self):
        return self._docker.daemons()

    def take(self, line):
        shown = json.loads(line[line.index("{"):]) if "{" in line else {}
        if "%" not in shown.get("CPUPerc", ""):
            return  # not known yet
        self.cpu_seconds[shown["ID"]] += float(shown["CPUPerc"].rstrip("%")) / 100 * self.SHOWN
        number, unit = re.fullmatch(r"([\d.e+]+)([a-zA-Z]+)", shown["BlockIO"].split(" / ")[1]).groups()
        self.written[shown["ID"]] = float(number) * UNITS[unit]

    def used(self, container, _disk):
        return self.cpu_seconds[container.id], self.written[container.id]


PACKAGES = [tool.package for tool in (NodeExporter, ProcessExporter, DockerStats, Pidstat, Cgtop)]


def all_tools(docker):
    return [Plimsoll([docker]), NodeExporter(), ProcessExporter(), LightProcessExporter(), DockerStats(docker),
            Pidstat(), Cgtop()]
