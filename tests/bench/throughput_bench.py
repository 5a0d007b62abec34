#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent costs servers: CPU time per request and requests per second with it and without it, in turn, in pairs.

usage: throughput_bench.py [--pairs N] [--config JSON]… [--host-network] [--programs] [CASE]…
cases: get set get-16 set-16 nginx

Server and client are a container each: a cgroup on all CPUs, and a network namespace with a veth cable to the other's; with
--host-network both are in the machine's and talk over its loopback. Each --config is a configuration of the agent, as JSON,
that is measured beside the default, e.g. '{"probes": {"io": {"enabled": true}}}'. A pair is one run without the agent and one
with it; the order alternates. Prints `name value` lines: the median of the pairs' losses in percent, how uncertain it is
(its standard error, from the quartiles), and the quartiles. `cpu` compares the CPU time of server and client per request,
which is what a loss comes from, and which other work on the machine disturbs less; `rate` compares requests per second.

--programs asks the kernel instead how long each of the agent's programs ran (sysctl kernel.bpf_stats_enabled): one run of
each case, in which its clock adds some 30 ns to each run of a program. What it cannot see is the way into a program.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

from plimsoll_testbed import Agent, Cgroup, Netns, free_port, wait_until, watching, workdir  # noqa: E402

PREFIX = "/plimsoll-bench"
REQUESTS = 60_000
SECONDS = 1


class Side:
    """A container: where its network is, and the server's address."""

    def __init__(self, cgroup, net, address):
        self.cgroup, self.address, self.cpu_usage_ns = cgroup, address, cgroup.cpu_usage_ns
        self.enter = ["nsenter", "--net=" + net.path] if net else []

    def spawn(self, argv, **options):
        return self.cgroup.spawn([*self.enter, *argv], **options)

    def answers(self, argv, wanted):
        """Whether the command, in its network, says that."""
        done = subprocess.run([*self.enter, *map(str, argv)], capture_output=True, check=False)
        return done.returncode == 0 and wanted in done.stdout


class Redis:
    def __init__(self, server, operation, pipeline):
        self.port, self.options = free_port(), ["-t", operation, "-P", str(pipeline)]
        self.address = server.address
        self.requests = REQUESTS * (5 if pipeline > 1 else 1)
        self.process = server.spawn(["redis-server", "--port", self.port, "--save", "", "--appendonly", "no",
                                     "--bind", self.address, "--protected-mode", "no", "--dir", workdir()],
                                    stdout=subprocess.DEVNULL)
        ping = ["redis-cli", "-h", self.address, "-p", self.port, "ping"]
        wait_until(lambda: server.answers(ping, b"PONG"), 20, "redis")

    def measure(self, client):
        run = client.spawn(["redis-benchmark", "-h", self.address, "-p", self.port, "-n", self.requests, "-c", 20, "--csv",
                            *self.options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = run.communicate(timeout=120)[0]
        return float(text.splitlines()[-1].split(",")[1].strip('"')), self.requests


class Nginx:
    CONFIG = """daemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error.log;
    events { worker_connections 512; }
    http { access_log off; keepalive_requests 1000000000; client_body_temp_path %(dir)s; proxy_temp_path %(dir)s;
    fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
    server { listen %(address)s:%(port)d; root %(dir)s; } }"""

    def __init__(self, server):
        directory, port = workdir(), free_port()
        with open(directory + "/index.html", "w", encoding="utf-8") as page:
            page.write("x" * 1000)
        with open(directory + "/nginx.conf", "w", encoding="utf-8") as config:
            config.write(self.CONFIG % {"dir": directory, "port": port, "address": server.address})
        os.chmod(directory, 0o755)
        self.url = "http://%s:%d/" % (server.address, port)
        self.process = server.spawn(["nginx", "-c", directory + "/nginx.conf", "-e", directory + "/error.log"])
        wait_until(lambda: server.answers(["curl", "-sf", self.url], b"xxx"), 20, "nginx")

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
        error = 0.93 * (high - low) / len(found) ** 0.5  # of a median, where the pairs scatter normally
        print("%s_%s_loss_percent %.2f ± %.2f (%.2f to %.2f)" % (name, kind, middle, error, low, high), flush=True)


def measure_losses(case, sides, configs, pairs):
    losses, bare = [[] for _ in configs], []
    for pair in range(pairs):
        for index, config in enumerate(configs):
            runs = [lambda: measure(*sides), lambda config=config: with_agent(config, *sides)]
            results = {which: runs[which]() for which in ((0, 1) if pair % 2 == 0 else (1, 0))}
            bare.append(results[0]["rate"])
            losses[index].append({kind: (1 - results[1][kind] / results[0][kind]) * 100 for kind in results[0]})
    print("throughput_%s_requests_per_second %.0f" % (case, statistics.median(bare)))
    for index, found in enumerate(losses):
        print_losses("throughput_%s%s" % (case, "" if index == 0 else "_config_%d" % index), found)


@contextlib.contextmanager
def kernel_counts_run_times():
    setting = "/proc/sys/kernel/bpf_stats_enabled"
    with open(setting, encoding="ascii") as file:
        former = file.read()
    try:
        with open(setting, "w", encoding="ascii") as file:
            file.write("1")
        yield
    finally:
        with open(setting, "w", encoding="ascii") as file:
            file.write(former)


def run_times():
    """{program's id: (name, nanoseconds, runs)}"""
    shown = subprocess.run(["bpftool", "--json", "prog", "show"], capture_output=True, check=True).stdout
    return {program["id"]: (program.get("name"), program.get("run_time_ns", 0), program.get("run_cnt", 0))
            for program in json.loads(shown)}


def measure_programs(case, sides, config):
    load, server, client = sides
    with Agent(dict(watching(PREFIX), log={"level": "info"}, **config)), kernel_counts_run_times():
        time.sleep(0.3)
        cpu, before = server.cpu_usage_ns() + client.cpu_usage_ns(), run_times()
        requests = load.measure(client)[1]
        after, cpu = run_times(), server.cpu_usage_ns() + client.cpu_usage_ns() - cpu
    spent = sorted(((ns - before.get(key, (name, 0, 0))[1], runs - before.get(key, (name, 0, 0))[2], name)
                    for key, (name, ns, runs) in after.items()), reverse=True)
    print("%s: %.0f ns of CPU time per request" % (case, cpu / requests))
    for ns, runs, name in spent:
        if runs >= requests / 1000:
            print("    %-16s %6.1f ns/run %7.3f runs/request %6.1f ns/request %5.2f %%"
                  % (name, ns / runs, runs / requests, ns / requests, ns / cpu * 100))
    total = sum(ns for ns, _, _ in spent)
    print("    %-16s %43.1f ns/request %5.2f %%" % ("all", total / requests, total / cpu * 100), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--config", action="append", default=[], type=json.loads)
    parser.add_argument("--host-network", action="store_true")
    parser.add_argument("--programs", action="store_true", help="how long each of the agent's programs runs")
    parser.add_argument("case", nargs="*", metavar="CASE", help="%s; default: all" % ", ".join(CASES))
    wanted = parser.parse_args()
    unknown = [case for case in wanted.case if case not in CASES]
    if unknown:
        parser.error("no such case: %s" % ", ".join(unknown))
    configs = [{}, *wanted.config]
    nets, address = [None, None], "127.0.0.1"
    if not wanted.host_network:
        nets, address = [Netns(), Netns()], "10.234.1.1"
        nets[0].cable(nets[1], 1)
    with Cgroup(PREFIX + "/server") as server_cgroup, Cgroup(PREFIX + "/client") as client_cgroup:
        server, client = Side(server_cgroup, nets[0], address), Side(client_cgroup, nets[1], address)
        for case in wanted.case or CASES:
            load = CASES[case](server)
            sides = (load, server, client)
            measure(*sides)
            for config in configs if wanted.programs else ():
                measure_programs(case, sides, config)
            if not wanted.programs:
                measure_losses(case, sides, configs, wanted.pairs)
            load.process.kill()
            load.process.wait()


if __name__ == "__main__":
    main()
