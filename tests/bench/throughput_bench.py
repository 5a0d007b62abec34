#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent costs servers: CPU time per request and requests per second with it and without it, in turn, in pairs.

usage: throughput_bench.py [--pairs N] [--config JSON]… [CASE]…   cases: get set get-16 set-16 nginx

Server and client are a container each (a cgroup), on all CPUs, over the loopback. Each --config is a configuration
of the agent, as JSON, that is measured beside the default, e.g. '{"probes": {"io": {"enabled": true}}}'. A pair is one
run without the agent and one with it; the order alternates. Prints `name value` lines: the median of the pairs' losses in
percent, and the lowest and highest quartile. `cpu` compares the CPU time of server and client per request, which is what
a loss comes from, and which other work on the machine disturbs less; `rate` compares requests per second.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, Cgroup, free_port, wait_until, watching, workdir  # noqa: E402

PREFIX = "/plimsoll-bench"
REQUESTS = 100_000
SECONDS = 3


class Redis:
    def __init__(self, server, operation, pipeline):
        self.port, self.options = free_port(), ["-t", operation, "-P", str(pipeline)]
        self.requests = REQUESTS * (5 if pipeline > 1 else 1)
        self.process = server.spawn(["redis-server", "--port", self.port, "--save", "", "--appendonly", "no",
                                     "--bind", "127.0.0.1", "--dir", workdir()], stdout=subprocess.DEVNULL)
        wait_until(lambda: b"PONG" in subprocess.run(["redis-cli", "-p", str(self.port), "ping"], capture_output=True,
                                                     check=False).stdout, 20, "redis")

    def measure(self, client):
        run = client.spawn(["redis-benchmark", "-p", self.port, "-n", self.requests, "-c", 20, "--csv", *self.options],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = run.communicate(timeout=120)[0]
        return float(text.splitlines()[-1].split(",")[1].strip('"')), self.requests


class Nginx:
    CONFIG = """daemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log;
    events { worker_connections 512; }
    http { access_log off; keepalive_requests 1000000000; client_body_temp_path %(dir)s; proxy_temp_path %(dir)s;
    fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
    server { listen 127.0.0.1:%(port)d; root %(dir)s; } }"""

    def __init__(self, server):
        directory, port = workdir(), free_port()
        with open(directory + "/index.html", "w", encoding="utf-8") as page:
            page.write("x" * 1000)
        with open(directory + "/nginx.conf", "w", encoding="utf-8") as config:
            config.write(self.CONFIG % {"dir": directory, "port": port})
        os.chmod(directory, 0o755)
        self.url = "http://127.0.0.1:%d/" % port
        self.process = server.spawn(["nginx", "-c", directory + "/nginx.conf", "-e", directory + "/error.log"])
        wait_until(lambda: subprocess.run(["curl", "-sf", "-o", "/dev/null", self.url], check=False).returncode == 0, 20,
                   "nginx")

    def measure(self, client):
        run = client.spawn(["wrk", "-t", 1, "-c", 20, "-d", "%ds" % SECONDS, self.url], stdout=subprocess.PIPE, text=True)
        text = run.communicate(timeout=60)[0]
        lines = {line.split()[1] if "requests in" in line else "rate": line.split() for line in text.splitlines()
                 if "requests in" in line or line.startswith("Requests/sec")}
        return float(lines["rate"][1]), int(lines["requests"][0])


CASES = {"get": lambda server: Redis(server, "get", 1), "set": lambda server: Redis(server, "set", 1),
         "get-16": lambda server: Redis(server, "get", 16), "set-16": lambda server: Redis(server, "set", 16),
         "nginx": Nginx}


def measure(load, server, client):
    """Requests per second, and requests per second of CPU time of both sides."""
    before = server.cpu_usage_ns() + client.cpu_usage_ns()
    rate, requests = load.measure(client)
    return {"rate": rate, "cpu": requests / (server.cpu_usage_ns() + client.cpu_usage_ns() - before) * 1e9}


def with_agent(config, *sides):
    with Agent(dict(watching(PREFIX), log={"level": "info"}, **config)):
        time.sleep(0.3)
        return measure(*sides)


def print_losses(name, found):
    for kind in ("cpu", "rate"):
        low, middle, high = statistics.quantiles([pair[kind] for pair in found], n=4)
        print("%s_%s_loss_percent %.2f (%.2f to %.2f)" % (name, kind, middle, low, high), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--config", action="append", default=[], type=json.loads)
    parser.add_argument("case", nargs="*", choices=[[], *CASES], default=list(CASES))
    wanted = parser.parse_args()
    configs = [{}, *wanted.config]
    with Cgroup(PREFIX + "/server") as server, Cgroup(PREFIX + "/client") as client:
        for case in wanted.case:
            load = CASES[case](server)
            sides = (load, server, client)
            measure(*sides)
            losses, bare = [[] for _ in configs], []
            for pair in range(wanted.pairs):
                for index, config in enumerate(configs):
                    runs = [lambda: measure(*sides), lambda config=config: with_agent(config, *sides)]
                    results = {which: runs[which]() for which in ((0, 1) if pair % 2 == 0 else (1, 0))}
                    bare.append(results[0]["rate"])
                    losses[index].append({kind: (1 - results[1][kind] / results[0][kind]) * 100 for kind in results[0]})
            load.process.kill()
            load.process.wait()
            print("throughput_%s_requests_per_second %.0f" % (case, statistics.median(bare)))
            for index, found in enumerate(losses):
                print_losses("throughput_%s%s" % (case, "" if index == 0 else "_config_%d" % index), found)


if __name__ == "__main__":
    main()
