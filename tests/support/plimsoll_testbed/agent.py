# SPDX-License-Identifier: Apache-2.0
"""The agent under test: the real binary with a configuration of its own on a free port."""

import http.client
import json
import os
import signal
import socket
import time

from .cleanup import workdir
from .metrics import parse
from .shell import CommandError, Daemon, run, wait_until
from .slowness import SLOWNESS
from .workloads import BUILD

BINARY = os.environ.get("PLIMSOLL_BINARY", BUILD + "/plimsoll")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http_get(port, path, headers=None, timeout=20):
    """(status, headers, body as bytes) of one GET request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout * SLOWNESS)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def page_by(get):
    """The text of /metrics by get(path), which is as http_get() with a port.

    A scrape waits five seconds for the agent's loop; a slow machine takes longer to load programs.
    """
    end = time.monotonic() + 5 * (SLOWNESS - 1)
    while True:
        status, _, body = get("/metrics")
        if status == 200:
            return body.decode("utf-8")
        if status != 503 or time.monotonic() >= end:
            raise CommandError("/metrics answered %d: %s" % (status, body[:500]))


def _merge(into, values):
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


class Agent:
    """`plimsoll daemon`, started and ready when the constructor returns.

    config: keys of the configuration file, merged over the defaults below, or the text of a whole file.
    runtimes: their private storage is added to containers.roots, so that names and images are found.
    wrapper: a command that becomes the program, e.g. ["setpriv", …] or ["sh", "-c", 'exec "$@" 2>&-', "sh"].
    """

    def __init__(self, config=None, runtimes=(), binary=BINARY, arguments=(), env=None, ready=True,
                 timeout=30, wrapper=()):
        self.port = free_port()
        self.dir = workdir()
        self.config_path = self.dir + "/plimsoll.yaml"
        self._runtimes = runtimes
        self.write_config(config)
        self.daemon = Daemon([*wrapper, binary, "daemon", "--config", self.config_path, *arguments],
                             self.dir + "/agent.log", env=env)
        if ready:
            self.wait_ready(timeout)

    def wait_ready(self, timeout=30):
        self.daemon.wait_ready(lambda: self._answers("/readyz"), timeout)

    def write_config(self, config):
        """As the constructor takes it."""
        if not isinstance(config, str):
            settings = {"web": {"listen": ["127.0.0.1:%d" % self.port]}, "containers": {"linger": "5s"},
                        "log": {"level": "debug"}}
            for runtime in self._runtimes:
                _merge(settings, {"containers": {"roots": runtime.agent_roots()}})
            _merge(settings, config or {})
            config = json.dumps(settings, indent=1)  # JSON is YAML
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(config)

    def reload(self, config):
        """SIGHUP with another configuration; what comes of it shows on the page."""
        self.write_config(config)
        os.kill(self.pid, signal.SIGHUP)

    @property
    def pid(self):
        return self.daemon.pid

    def get(self, path, headers=None, timeout=20):
        """(status, headers, body as bytes) of one GET request."""
        return http_get(self.port, path, headers, timeout)

    def page(self):
        """The text of /metrics."""
        return page_by(self.get)

    def metrics(self):
        """The parsed page; raises ParseError when a consumer could stumble over it."""
        return parse(self.page())

    def value(self, family, /, **labels):
        return self.metrics().value(family, **labels)

    def wait_value(self, family, wanted, /, timeout=20, **labels):
        """Scrapes until wanted(value) holds, a missing series being None; returns the families of that scrape."""
        value = None

        def look():
            nonlocal value
            families = self.metrics()
            found = families.samples(family, **labels)
            value = found[0].value if found else None
            return families if wanted(value) else None
        try:
            return wait_until(look, timeout, "%s%s" % (family, labels), interval=0.1)
        except TimeoutError as error:
            raise TimeoutError("%s; it is %s" % (error, value)) from error

    def log(self):
        return self.daemon.log()

    def stop(self):
        """SIGTERM; returns the exit code."""
        return self.daemon.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind is not None:
            print("--- log of the agent\n%s" % self.log()[-6000:])

    def _answers(self, path):
        try:
            return self.get(path, timeout=2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def command(*arguments, binary=BINARY, timeout=60, check=False, **options):
    """Runs another of the program's commands (check, list, metrics, …) to its end."""
    return run([binary, *arguments], timeout=timeout, check=check, **options)


def watching(prefix, **containers):
    """A configuration of the agent that watches the cgroups right below `prefix` and nothing else."""
    return {"containers": {"discover": [], "cgroups": [{"path": prefix + "/*"}], **containers}}
