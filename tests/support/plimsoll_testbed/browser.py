# SPDX-License-Identifier: Apache-2.0
"""A real headless Chromium, driven by its DevTools protocol over a pair of pipes."""

import base64
import fcntl
import json
import os
import select
import subprocess
import time

from .cleanup import defer, workdir
from .shell import wait_until

BROWSER = "chromium"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
          "--hide-scrollbars", "--remote-debugging-pipe")


def _pipe():
    """A pipe whose numbers are above those that Chromium expects (3 and 4)."""
    ends = os.pipe()
    try:
        return [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    finally:
        for end in ends:
            os.close(end)


class Browser:
    """One page; whatever it asked for and complained about is in `requests` and `complaints`."""

    def __init__(self, width=1280, height=800, javascript=True, dark=False):
        self.requests, self.complaints = [], []
        self._count, self._buffer, self._answers, self._session = 0, b"", {}, None
        theirs_in, self._out = _pipe()
        self._in, theirs_out = _pipe()

        def as_expected():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)
        with open(workdir() + "/log", "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                ["setpriv", "--pdeathsig", "KILL", "--", BROWSER, *_FLAGS, "--user-data-dir=" + workdir(),
                 "about:blank"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=as_expected, pass_fds=(3, 4))
        os.close(theirs_in)
        os.close(theirs_out)
        self._undo = defer(self.close)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.send(domain + ".enable")
        self.resize(width, height)
        if not javascript:
            self.send("Emulation.setScriptExecutionDisabled", value=True)
        if dark:
            self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def send(self, method, /, timeout=60, **parameters):
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + timeout
        while number not in self._answers:
            if not self.listen(end - time.monotonic()):
                raise TimeoutError("%s: no answer from %s" % (method, BROWSER))
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def listen(self, seconds):
        """Takes in what the browser tells; false when it tells nothing for that long."""
        if not select.select([self._in], [], [], max(0.0, seconds))[0]:
            return False
        piece = os.read(self._in, 1 << 20)
        if not piece:
            raise RuntimeError("%s ended with %s" % (BROWSER, self.process.poll()))
        *messages, self._buffer = (self._buffer + piece).split(b"\0")
        for text in messages:
            self._take(json.loads(text))
        return True

    def _take(self, message):
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif message["method"] == "Log.entryAdded":
            self.complaints.append(message["params"]["entry"]["text"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(str(message["params"]["exceptionDetails"]))

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait("location.href.startsWith(%s) && document.readyState == 'complete'" % json.dumps(url.split("?")[0]))

    def evaluate(self, expression):
        """The value of a JavaScript expression, as JSON carries it."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (expression, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, expression, timeout=30):
        """Until the expression is true in the page, which may be another one meanwhile."""
        def look():
            try:
                return self.evaluate(expression)
            except RuntimeError:  # the context went away with a reload
                return None
        return wait_until(look, timeout, expression, interval=0.1)

    def resize(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        self._undo.cancel()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        for end in (self._in, self._out):
            if end is not None:
                os.close(end)
        self._in = self._out = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
