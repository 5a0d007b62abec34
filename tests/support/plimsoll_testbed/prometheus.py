# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus that scrapes the agent every second, and its query API."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

from .agent import free_port
from .cleanup import workdir
from .metrics import parse
from .shell import Daemon, run

# Gauges that end in _total, and the like.
NAMED_BY_CADVISOR = ("container_fs_inodes_total", "container_memory_failcnt")


class Prometheus:
    def __init__(self, targets, interval="1s", rules=(), job="plimsoll", scrape=None):
        """targets: "host:port" strings, or Agents. rules: paths of rule files. job: the label that series get.
        scrape: more keys of the job, as for TLS.
        """
        self.dir = workdir()
        self.port = free_port()
        targets = ["127.0.0.1:%d" % t.port if hasattr(t, "port") else t for t in targets]
        config = {"global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
                  "rule_files": list(rules),
                  "scrape_configs": [{"job_name": job, "static_configs": [{"targets": targets}], **(scrape or {})}]}
        with open(self.dir + "/prometheus.yml", "w", encoding="utf-8") as file:
            json.dump(config, file)
        self.daemon = Daemon(["prometheus", "--config.file", self.dir + "/prometheus.yml", "--storage.tsdb.path",
                              self.dir + "/data", "--web.listen-address", "127.0.0.1:%d" % self.port],
                             self.dir + "/log")
        self.daemon.wait_ready(self._ready)

    def query(self, expression, at=None):
        """The result of an instant query: [{metric: labels, value: [time, text]}]"""
        return self._api("query", query=expression, **({"time": at} if at else {}))["result"]

    def query_range(self, expression, start, end, step="1s"):
        return self._api("query_range", query=expression, start=start, end=end, step=step)["result"]

    def value(self, expression):
        """The number of a query with exactly one series."""
        result = self.query(expression)
        if len(result) != 1:
            raise KeyError("%d series for %s" % (len(result), expression))
        return float(result[0]["value"][1])

    def targets(self):
        return self._api("targets")["activeTargets"]

    def wait_scrapes(self, count, timeout=60):
        """Until every target was scraped successfully count times."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            result = self.query("min(count_over_time(up[1h]))")
            if result and float(result[0]["value"][1]) >= count and self.value("min(up)") == 1:
                return
            time.sleep(0.3)
        raise TimeoutError("%d scrapes: %s" % (count, [t["lastError"] for t in self.targets()]))

    def scrapes(self, window):
        """([times], [times of those that failed]) of the only target."""
        (series,) = self.query("up" + window)
        return ([float(at) for at, _ in series["values"]],
                [float(at) for at, value in series["values"] if value != "1"])

    def refused(self):
        """{metric: count} of samples that it did not take, by its own account."""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.port, timeout=20) as response:
            families = parse(response.read().decode())
        found = {name: family.samples[0].value for name, family in families.items()
                 if name.startswith(("prometheus_target_scrapes_sample_", "prometheus_target_scrapes_exceeded_"))}
        for kind in ("duplicate_timestamp", "out_of_order", "out_of_bounds"):
            assert "prometheus_target_scrapes_sample_%s_total" % kind in found
        return {name: value for name, value in found.items() if value}

    def log(self):
        return self.daemon.log()

    def stop(self):
        return self.daemon.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _api(self, path, **parameters):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, path, urllib.parse.urlencode(parameters))
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError("%s: %s" % (parameters, error.read().decode("utf-8", "replace"))) from error

    def _ready(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/-/ready" % self.port, timeout=2) as response:
                return response.status == 200
        except OSError:
            return False


def promtool_check(page):
    """`promtool check metrics` on a page: (exit code, findings). It exits 3 for what only its linter dislikes.

    What it dislikes in names that cAdvisor chose is no finding.
    """
    done = run(["promtool", "check", "metrics"], check=False, stdin=None, input=page)
    findings = [line for line in (done.stdout + done.stderr).splitlines(keepends=True)
                if line.split(" ", 1)[0] not in NAMED_BY_CADVISOR]
    return 0 if done.returncode == 3 and not findings else done.returncode, "".join(findings)
