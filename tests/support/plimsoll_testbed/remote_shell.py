# SPDX-License-Identifier: Apache-2.0
"""A container whose init is a shell that takes orders, so that a test can scrape before and after what it does."""

import os
import select

from .slowness import SLOWNESS


class RemoteShell:
    """`directory` is bind-mounted at /out. Between orders its only process waits in poll."""

    INIT = 'while read -r order; do eval "$order"; echo $? >/out/answers; done </out/orders'

    def __init__(self, runtime, name, directory, **options):
        self._files = []
        for fifo in ("orders", "answers"):
            os.mkfifo("%s/%s" % (directory, fifo))
            self._files.append(os.open("%s/%s" % (directory, fifo), os.O_RDWR | os.O_CLOEXEC))
        self.directory = directory
        mounts = list(options.pop("mounts", ())) + [(directory, "/out")]
        self.container = runtime.run(name, ["sh", "-c", self.INIT], mounts=mounts, **options)
        self.do(":")

    @property
    def id(self):
        return self.container.cgroup_path

    def do(self, order, timeout=30):
        """Runs one line of shell; its exit status."""
        self.start(order)
        return self.result(timeout)

    def start(self, order):
        os.write(self._files[0], (order + "\n").encode())

    def result(self, timeout=30):
        if not select.select([self._files[1]], [], [], timeout * SLOWNESS)[0]:
            raise TimeoutError("no answer from %s within %g s" % (self.container.name, timeout))
        return int(os.read(self._files[1], 64).split()[0])

    def read(self, name):
        """A file that an order left in /out."""
        with open("%s/%s" % (self.directory, name), encoding="utf-8") as file:
            return file.read()

    def close(self):
        if self._files:
            self.container.remove()
            for file in self._files:
                os.close(file)
            self._files = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
