# SPDX-License-Identifier: Apache-2.0
"""One boot of a kernel in emulation: a payload goes in on a disk, verdicts come out of a serial port."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

QEMU = "qemu-system-x86_64"
MEMORY_MIB = 2048


@dataclasses.dataclass
class Verdict:
    test: str
    outcome: str  # passed, failed, skipped
    seconds: float = 0.0
    reason: str = ""
    log: str = ""


class Machine:
    """Boots when made; verdicts() follows it until its end; close() ends it in any case. words: for the kernel's command
    line. When it has ended well, place and facts are what its tests found out (plimsoll_testbed/facts.py)."""

    def __init__(self, images, kernel, words, payload):
        self.place, self.facts = None, []
        self._dir = tempfile.mkdtemp(prefix="plimsoll-vm-")
        self._results, self._console = self._dir + "/results", self._dir + "/console"
        command = [QEMU, "-M", "pc", "-accel", "tcg,tb-size=512", "-cpu", "max", "-m", str(MEMORY_MIB),
                   "-smp", "1",  # with more, QEMU 7.2 makes 6.12 oops now and then
                   "-nodefaults", "-display", "none", "-no-reboot", "-serial", "file:" + self._console,
                   "-serial", "file:" + self._results, "-kernel", "%s/vmlinuz-%s" % (images, kernel),
                   "-initrd", "%s/initrd-%s" % (images, kernel),
                   # Else a busy host makes the kernel doubt its clocks, and the scheduler's goes by jiffies.
                   "-append", "console=ttyS0 panic=-1 quiet tsc=reliable systemd.show_status=no apparmor=0 " + words]
        for number, disk in enumerate((images + "/root.ext4", payload)):
            command += ["-drive", "file=%s,format=raw,if=none,id=d%d,snapshot=on" % (disk, number),
                        "-device", "virtio-blk-pci,drive=d%d" % number]
        environment = {**os.environ, "TMPDIR": self._dir}  # where what the guest writes is kept
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], env=environment,
                                         stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                                         stdout=open(self._dir + "/qemu.log", "wb"))

    def messages(self, deadline):
        """What the guest says, until it is done, silent for good, or late."""
        seen = b""
        position = 0
        while True:
            ended = self._process.poll() is not None
            if os.path.exists(self._results):
                with open(self._results, "rb") as file:
                    file.seek(position)
                    new = file.read()
                position += len(new)
                seen += new
            *lines, seen = seen.split(b"\n")
            for line in lines:
                message = json.loads(line)
                if "done" in message:
                    return
                yield message
            if ended:
                raise RuntimeError("the guest ended before its tests")
            if time.monotonic() > deadline:
                raise TimeoutError("the guest was not done in time")
            time.sleep(0.1)

    def verdicts(self, limit):
        """A Verdict for each test; a suite or machine that breaks off is one, too. The guest's other words as text."""
        pending = suite = None
        failed = counted = 0
        try:
            for message in self.messages(time.monotonic() + limit):
                if "facts" in message:
                    self.place, self.facts = message["place"], message["facts"]
                elif "test" in message:
                    verdict = Verdict(**message)
                    pending = None
                    failed += verdict.outcome == "failed"
                    counted += 1
                    yield verdict
                elif "begin" in message:
                    pending = message["begin"]
                elif "suite" in message:
                    suite, failed, counted = message["suite"], 0, 0
                elif "ended" in message:
                    if pending or not counted or (message["ended"] != "exit 0" and not failed):
                        yield Verdict(pending or suite, "failed", reason=message["ended"], log=self.console())
                    pending = suite = None
                else:
                    yield "kernel %(kernel)s, tests begin %(up).0f s after the boot" % message
        except (RuntimeError, TimeoutError, ValueError) as error:
            yield Verdict(pending or suite or "the boot", "failed", reason=str(error), log=self.console())

    def console(self):
        """The end of what the kernel and QEMU said."""
        text = ""
        for name in ("qemu.log", "console"):
            if os.path.exists("%s/%s" % (self._dir, name)):
                with open("%s/%s" % (self._dir, name), encoding="utf-8", errors="replace") as file:
                    text += file.read()
        return text[-6000:]

    def close(self):
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._process.kill()
        self.close()
