# SPDX-License-Identifier: Apache-2.0
"""Certificates made by the openssl command, hashes made by libcrypt, and an agent that is asked over TLS."""

import base64
import ctypes
import http.client
import json
import os
import ssl

from .agent import Agent
from .cleanup import workdir
from .shell import run, wait_until
from .slowness import SLOWNESS

ADOPTED = "the files of the web configuration have changed, and are in force"
KEPT = "what was before stays in force"


class Authority:
    """Signs certificates; its own is `certificate`."""

    def __init__(self, name="authority"):
        self.dir = workdir()
        self.certificate, self.key = self._make(name, "basicConstraints=critical,CA:TRUE")

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1,IP:127.0.0.2"):
        """(certificate, key) as paths."""
        return self._make(name, "subjectAltName=" + names, "-CA", self.certificate, "-CAkey", self.key)

    def _make(self, name, extension, *more):
        paths = "%s/%s.pem" % (self.dir, name), "%s/%s.key" % (self.dir, name)
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=" + name, "-addext", extension, "-out", paths[0], "-keyout", paths[1], *more])
        os.chmod(paths[1], 0o600)
        return paths


def fingerprint(certificate):
    """What is served, or a file in PEM form, as one comparable value."""
    if isinstance(certificate, bytes):
        return certificate
    with open(certificate, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def bcrypt(password, cost=10, kind="2b"):
    """The hash of a password, by libcrypt."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    salt = base64.b64encode(os.urandom(16)).decode().replace("+", ".")[:22]
    return library.crypt(password.encode(), ("$%s$%02d$%s" % (kind, cost, salt)).encode()).decode()


def basic(user, password):
    """The headers of a request with name and password."""
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


def client_context(authority, certificate=None, oldest=None, newest=None):
    context = ssl.create_default_context(cafile=authority.certificate)
    if certificate:
        context.load_cert_chain(*certificate)
    if oldest:
        context.minimum_version = oldest
    if newest:
        context.maximum_version = newest
    return context


class WebAgent(Agent):
    """An agent with a web configuration; `web` is its keys. Asked with `context` (none: plain HTTP) and `login`."""

    def __init__(self, web, config=None, context=None, login=None, **options):
        self.context, self.login = context, login or {}
        self.web_dir = workdir()
        self.web_path = self.web_dir + "/web.yml"
        self.write_web(web)
        super().__init__(config, arguments=["--web.config.file", self.web_path], **options)

    def write_web(self, web):
        """Keys, or the text of the file."""
        with open(self.web_path + ".new", "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(web if isinstance(web, str) else json.dumps(web))
        os.rename(self.web_path + ".new", self.web_path)

    def change_web(self, web=None, change=None, wanted=ADOPTED):
        """Writes the file or calls `change`, and waits until the agent has noticed and said what is `wanted`."""
        before = self.log().count(wanted)
        if web is not None:
            self.write_web(web)
        if change:
            change()
        wait_until(lambda: self.log().count(wanted) > before, 20, wanted)

    def connection(self, context=None, host="127.0.0.1", port=None, timeout=20):
        context = context or self.context
        if context is None:
            return http.client.HTTPConnection(host, port or self.port, timeout=timeout * SLOWNESS)
        return http.client.HTTPSConnection(host, port or self.port, timeout=timeout * SLOWNESS, context=context)

    def get(self, path, headers=None, timeout=20, context=None, host="127.0.0.1", port=None, method="GET"):
        connection = self.connection(context, host, port, timeout)
        try:
            connection.request(method, path, headers={**self.login, **(headers or {})})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def served(self, context=None):
        """(certificate, version, cipher) of a handshake and one answer, without which TLS 1.3 proves little."""
        connection = self.connection(context)
        try:
            connection.request("GET", "/healthz", headers=self.login)
            socket = connection.sock  # the response takes it away
            found = socket.getpeercert(True), socket.version(), socket.cipher()[0]
            assert connection.getresponse().status == 200
            return found
        finally:
            connection.close()
