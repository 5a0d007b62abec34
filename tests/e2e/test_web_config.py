# SPDX-License-Identifier: Apache-2.0
"""TLS, client certificates and headers by a web configuration, and their change while the agent runs."""

import os
import re
import shutil
import signal
import socket
import ssl
import time
import unittest

from testbed import (BINARY, KEPT, Agent, Authority, Cgroup, WebAgent, bcrypt, client_context, command, fingerprint, free_port, run,
                     wait_until, watching, workdir)

PREFIX = "/plimsoll-web"
CONFIG = watching(PREFIX)
SUCCESSFUL = "plimsoll_config_last_reload_successful"
PASSWORD = "correct horse battery staple"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


def tls(pair, **more):
    return {"tls_server_config": {"cert_file": pair[0], "key_file": pair[1], **more}}


def refused(get):
    """Whether the connection ended without an answer."""
    try:
        get()
        return False
    except (ssl.SSLError, ConnectionError):
        return True


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority = Authority()
        cls.server = cls.authority.issue("server")
        cls.context = client_context(cls.authority)
        cls.ports = free_port(), free_port()
        listen = ["127.0.0.1:%d" % cls.ports[0], "127.0.0.2:%d" % cls.ports[1]]
        cls.agent = WebAgent({**tls(cls.server), "http_server_config": {
            "http2": True, "headers": {"Strict-Transport-Security": "max-age=3600", "X-Frame-Options": "deny"}}},
            {**CONFIG, "web": {"listen": listen}}, cls.context, ready=False)
        cls.addClassCleanup(cls.agent.stop)
        cls.agent.port = cls.ports[0]
        cls.agent.wait_ready()

    def test_all_addresses_speak_tls_and_serve_the_certificate(self):
        for host, port in zip(("127.0.0.1", "127.0.0.2"), self.ports):
            status, _, page = self.agent.get("/metrics", host=host, port=port)
            self.assertEqual(status, 200)
            self.assertIn(b"\nplimsoll_build_info{", page)
        self.assertEqual(fingerprint(self.agent.served()[0]), fingerprint(self.server[0]))

    def test_versions(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            self.assertEqual(self.agent.served(client_context(self.authority, None, version, version))[1], name)
        for version in ("-tls1", "-tls1_1"):
            done = run(["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect",
                        "127.0.0.1:%d" % self.ports[0]], check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("alert protocol version", done.stderr)

    def test_who_could_do_http2_gets_http1(self):
        context = client_context(self.authority)
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", self.ports[0])) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")
        self.assertIn("OK", run(["curl", "-sS", "--http2", "--cacert", self.authority.certificate, "-w", "OK",
                                 "https://localhost:%d/healthz" % self.ports[0]]).stdout)

    def test_a_client_without_tls_is_told_so(self):
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=10) as plain:
            plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b"".join(iter(lambda: plain.recv(4096), b""))
        self.assertRegex(answer.decode(), r"^HTTP/1.1 400 Bad Request\r\n(?s:.*)this server speaks HTTPS only")
        with socket.create_connection(("127.0.0.1", self.ports[0]), timeout=10) as noise:
            noise.sendall(os.urandom(64))
            try:
                self.assertNotIn(b"HTTP", b"".join(iter(lambda: noise.recv(4096), b"")))
            except ConnectionResetError:
                pass
        self.assertEqual(self.agent.get("/healthz")[0], 200)

    def test_headers_are_on_every_answer(self):
        for path, status in (("/metrics", 200), ("/", 200), ("/nothing", 404)):
            found, headers, _ = self.agent.get(path)
            self.assertEqual(found, status)
            self.assertEqual(headers["Strict-Transport-Security"], "max-age=3600")
            self.assertEqual(headers["X-Frame-Options"], "deny")

    def test_handshakes_that_never_end_do_not_hold_up_an_honest_scraper(self):
        hello = self.client_hello()
        self.agent.get("/metrics")
        for first_bytes in (b"", hello[:1], hello[:40], hello):
            silent = []
            for _ in range(50):
                silent.append(socket.create_connection(("127.0.0.1", self.ports[0]), timeout=20))
                silent[-1].sendall(first_bytes)
            for _ in range(5):
                self.assertEqual(self.agent.get("/metrics", timeout=10)[0], 200)
            for connection in silent:
                with connection:
                    try:
                        while connection.recv(4096):
                            pass
                    except ConnectionResetError:
                        pass

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self.context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    def test_a_page_larger_than_all_buffers_comes_whole_to_a_slow_reader(self):
        page = self.agent.get("/metrics")[2]
        connection = self.agent.connection()
        connection.request("GET", "/metrics")
        time.sleep(0.5)
        body = connection.getresponse().read()
        connection.close()
        self.assertGreater(len(body), 0.9 * len(page))

    def test_openssl_is_found_by_our_own_names(self):
        """Those that civetweb asks for are in the package for developers only."""
        with open("/proc/%d/maps" % self.agent.pid, encoding="utf-8") as maps:
            found = {os.path.basename(os.path.dirname(line.split()[-1])) + "/" + os.path.basename(line.split()[-1])
                     for line in maps if "libssl" in line}
        self.assertIn("openssl_names/libssl.so", found)


class ChangesWhileItRuns(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.authority, cls.stranger = Authority(), Authority("stranger")
        cls.server = cls.authority.issue("server")
        cls.client = cls.authority.issue("client", "DNS:scraper.example,IP:192.0.2.7,email:a@b.example,URI:spiffe://x/y")
        cls.plain = client_context(cls.authority)
        cls.known = client_context(cls.authority, cls.client)
        cls.unknown = client_context(cls.authority, cls.stranger.issue("intruder"))

    def start(self, web):
        self.agent = self.enterContext(WebAgent(web, CONFIG, self.plain))
        return self.agent

    def let_in(self):
        """Which of the three clients get an answer: without a certificate, with a foreign one, with a right one."""
        def answers(context):
            return not refused(lambda: self.agent.get("/healthz", context=context))
        return answers(self.plain), answers(self.unknown), answers(self.known)

    def test_client_certificates(self):
        self.start(tls(self.server))
        verified = {"client_ca_file": self.authority.certificate}
        cases = (("NoClientCert", {}, (True, True, True)),
                 ("RequestClientCert", {}, (True, True, True)),
                 ("RequireAnyClientCert", {}, (False, True, True)),
                 ("VerifyClientCertIfGiven", verified, (True, False, True)),
                 ("RequireAndVerifyClientCert", verified, (False, False, True)))
        for name, more, wanted in cases:
            self.agent.change_web(tls(self.server, client_auth_type=name, **more))
            self.assertEqual(self.let_in(), wanted, name)

    def test_allowed_names_of_clients(self):
        strict = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": self.authority.certificate}
        self.start(tls(self.server))
        for names, wanted in ((["other.example", "scraper.example"], True), (["192.0.2.7"], True), (["a@b.example"], True),
                              (["spiffe://x/y"], True), (["scraper.example.org", "192.0.2.70", "client"], False)):
            self.agent.change_web(tls(self.server, client_allowed_sans=names, **strict))
            self.assertEqual(self.let_in(), (False, False, wanted), names)

    def test_versions_ciphers_and_curves(self):
        self.start(tls(self.server, min_version="TLS13"))
        old = client_context(self.authority, None, None, ssl.TLSVersion.TLSv1_2)
        self.assertTrue(refused(lambda: self.agent.get("/healthz", context=old)))
        self.assertEqual(self.agent.served()[1], "TLSv1.3")
        self.agent.change_web(tls(self.server, max_version="TLS12", cipher_suites=[
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]))
        self.assertEqual(self.agent.served()[1:], ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"))
        other = client_context(self.authority)
        other.maximum_version = ssl.TLSVersion.TLSv1_2
        other.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
        self.assertTrue(refused(lambda: self.agent.get("/healthz", context=other)))
        self.agent.change_web(tls(self.server, curve_preferences=["CurveP384"]))
        text = run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % self.agent.port, "-brief"], check=False).stderr
        self.assertIn("secp384r1", text)

    def test_a_bad_file_keeps_the_old_one_and_says_why_once(self):
        agent = self.start(tls(self.server))
        self.assertEqual(agent.value(SUCCESSFUL), 1)
        agent.change_web("tls_server_config: {cert: x}\nnonsense: 1\n", wanted=KEPT)
        self.assertRegex(agent.log(), r"web.yml:2:1: unknown key \"nonsense\"")
        self.assertEqual((agent.value(SUCCESSFUL), agent.served()[0]), (0, fingerprint(self.server[0])))
        time.sleep(3)  # several looks at the same bad file
        self.assertEqual(agent.log().count(KEPT), 1)
        agent.change_web(tls(self.server))
        self.assertEqual(agent.value(SUCCESSFUL), 1)
        agent.change_web(tls((self.server[0], self.client[1])), wanted=KEPT)
        self.assertIn("not the key of the certificate in", agent.log())
        agent.change_web(tls(("gone.pem", self.server[1])), wanted=KEPT)
        self.assertIn(os.path.dirname(agent.web_path) + "/gone.pem: cannot be read: No such file", agent.log())
        self.assertEqual((agent.value(SUCCESSFUL), agent.served()[0]), (0, fingerprint(self.server[0])))
        self.assertNotIn("PRIVATE", agent.log())

    def test_a_bad_web_configuration_fails_the_whole_reload(self):
        agent = self.start(tls(self.server))
        agent.write_web("basic_auth_users: {alice: %s}\n" % PASSWORD)
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: "the configuration from before stays in force" in agent.log(), 20, "the reload's end")
        self.assertRegex(agent.log(), "basic_auth_users.alice: no hash by bcrypt; allowed: ")
        self.assertNotIn(PASSWORD, agent.log())
        self.assertEqual(agent.value(SUCCESSFUL), 0)
        agent.write_web(tls(self.server, client_auth_type="RequireAnyClientCert"))
        os.kill(agent.pid, signal.SIGHUP)
        wait_until(lambda: "and is in force" in agent.log(), 20, "the reload")
        self.assertEqual(self.let_in(), (False, True, True))

    def test_a_reload_turns_tls_on_and_off(self):
        agent = self.enterContext(Agent(CONFIG))
        web = workdir() + "/web.yml"
        with open(web, "w", encoding="utf-8") as file:
            file.write("tls_server_config: {cert_file: %s, key_file: %s}\n" % self.server)
        with open(agent.config_path, encoding="utf-8") as file:
            without = file.read()
        for text, context in ((without.replace('"listen"', '"config_file": "%s", "listen"' % web), self.plain),
                              (without, None)):
            count = agent.log().count("and is in force")
            agent.write_config(text)
            os.kill(agent.pid, signal.SIGHUP)
            wait_until(lambda count=count: agent.log().count("and is in force") > count, 20, "the reload")
            argv = ["curl", "-sS", "--cacert", self.authority.certificate,
                    "http%s://127.0.0.1:%d/healthz" % ("s" if context else "", agent.port)]
            self.assertEqual(run(argv).stdout, "ok\n")


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = workdir()
        cls.authority = Authority()
        cls.server = cls.authority.issue("agent.example")

    def write(self, text):
        path = self.folder + "/web.yml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        config = self.folder + "/plimsoll.yaml"
        with open(config, "w", encoding="utf-8") as file:
            file.write("web: {config_file: web.yml, listen: '127.0.0.1:%d'}\n" % free_port())
        return path, config

    def test_a_bad_web_configuration_is_exit_2_and_a_sentence(self):
        gone = "%s/gone.pem: cannot be read: No such file or directory" % self.folder
        for text, sentence in (
                ("basic_auth_users: [1]\n", ":1:19: basic_auth_users: not a mapping; allowed: a mapping of names"),
                ("tls_server_config: {cert_file: gone.pem, key_file: gone.pem}\n", ": " + gone),
                ("tls_server_config: {cert_file: %s}\n" % self.server[0], ": tls_server_config: key_file is missing"),
                ("tls_server_config: {cert_file: %s, key_file: %s}\n" % (self.server[1], self.server[1]),
                 "no certificate in PEM form"),
                ("tls_server_config: {cert_file: %s, key_file: %s}\n" % (self.server[0], self.server[0]),
                 "no private key in PEM form")):
            path, config = self.write(text)
            for argv in (["daemon", "--config", config], ["daemon", "--web.config.file", path],
                         ["check", "--config", config]):
                done = command(*argv)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr.startswith(self.folder + "/web.yml:"), done.stderr)
                self.assertIn(sentence, done.stderr)
        done = command("daemon", "--web.config.file", self.folder + "/none.yml")
        self.assertEqual((done.returncode, done.stderr),
                         (2, self.folder + "/none.yml: cannot be read: No such file or directory\n"))

    def test_a_program_without_its_library_says_what_is_missing(self):
        path, _ = self.write("tls_server_config: {cert_file: %s, key_file: %s}\n" % self.server)
        alone = shutil.copy(BINARY, self.folder)
        done = command("daemon", "--web.config.file", path, "--web.listen-address", "127.0.0.1:0", binary=alone)
        self.assertEqual(done.returncode, 1)
        self.assertIn("TLS needs the library lib/plimsoll/libssl.so, which is installed with the program", done.stderr)

    def test_check_says_what_it_found(self):
        end = run(["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", self.server[0]]).stdout
        _, config = self.write("tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {a: '%s'}\n"
                               % (*self.server, bcrypt("x", 4)))
        os.chmod(self.folder + "/web.yml", 0o644)
        os.chmod(self.server[1], 0o644)
        output = command("check", "--config", config).stdout
        self.assertRegex(output, r"ok +web server +TLS 1.2 and 1.3, certificate of CN=agent.example until %s UTC; "
                                 r"passwords of 1 user\n" % re.escape(end.strip().removeprefix("notAfter=").rstrip("Z")))
        self.assertRegex(output, r"-- +web server +\S+/web.yml: everybody on this host may read the hashes")
        self.assertRegex(output, r"-- +web server +\S+\.key: everybody on this host may read the private key")
        os.chmod(self.folder + "/web.yml", 0o600)
        os.chmod(self.server[1], 0o600)
        self.assertNotIn("everybody", command("check", "--config", config).stdout)


if __name__ == "__main__":
    unittest.main()
