# SPDX-License-Identifier: Apache-2.0
"""Passwords by a web configuration: who is let in, what it costs, a flood of wrong ones; and a real Prometheus with all that
it can be asked for, while certificates are replaced."""

import os
import statistics
import threading
import time
import unittest

from testbed import (ADOPTED, KEPT, Authority, Cgroup, Prometheus, WebAgent, basic, bcrypt, client_context, fingerprint,
                     wait_until, watching, workdir)

PREFIX = "/plimsoll-passwords"
CONFIG = watching(PREFIX)
PASSWORD = "correct horse battery staple"


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Passwords(unittest.TestCase):
    COST = 11

    @classmethod
    def setUpClass(cls):
        cls.hashes = {"alice": bcrypt(PASSWORD, cls.COST), "bob": bcrypt("bob's", cls.COST, "2y"),
                      "carol": bcrypt("carol's", cls.COST, "2a")}
        cls.agent = WebAgent({"basic_auth_users": cls.hashes}, CONFIG, login=basic("alice", PASSWORD))
        cls.addClassCleanup(cls.agent.stop)

    def status(self, headers, path="/healthz", **options):
        return self.agent.get(path, headers={"Authorization": "", **headers}, **options)[0]

    def seconds(self, headers):
        begin = time.monotonic()
        self.status(headers)
        return time.monotonic() - begin

    def test_who_is_let_in(self):
        for path in ("/metrics", "/", "/healthz", "/readyz", "/nothing"):
            for method in ("GET", "HEAD"):
                status, headers, _ = self.agent.get(path, headers={"Authorization": ""}, method=method)
                self.assertEqual(status, 401, path)
                self.assertTrue(headers["WWW-Authenticate"].startswith("Basic realm="))
        self.assertEqual(self.agent.get("/metrics")[0], 200)
        for headers in (basic("bob", "bob's"), basic("carol", "carol's")):
            self.assertEqual(self.status(headers), 200)
        for headers in (basic("alice", "bob's"), basic("alice", ""), basic("dave", PASSWORD), basic("", PASSWORD),
                        basic("alice", PASSWORD + "\0x"), {"Authorization": "Bearer abc"},
                        {"Authorization": "Basic ???"}, {"Authorization": "Basic"},
                        {"Authorization": "Basic " + "A" * 4000}):
            self.assertEqual(self.status(headers), 401, headers)

    def test_the_right_password_is_checked_once_and_a_wrong_one_takes_as_long_for_whoever(self):
        """What is remembered costs nearly nothing; whether a name exists makes no difference."""
        cached = statistics.median(self.seconds(self.agent.login) for _ in range(21))
        wrong = statistics.median(self.seconds(basic("alice", "wrong %d" % i)) for i in range(5))
        nobody = statistics.median(self.seconds(basic("nobody", "wrong %d" % i)) for i in range(5))
        print("    right and known %.4f s; wrong %.4f s; unknown name %.4f s" % (cached, wrong, nobody))
        self.assertGreater(wrong / cached, 10)
        self.assertGreater(nobody / cached, 10)
        self.assertLess(max(wrong, nobody) / min(wrong, nobody), 2)

    def test_a_flood_of_wrong_passwords_does_not_starve_who_is_known(self):
        self.assertEqual(self.status(self.agent.login), 200)
        stop, seen = threading.Event(), []

        def flood(number):
            count = 0
            while not stop.is_set():
                count += 1
                try:
                    seen.append(self.status(basic("alice", "%d.%d" % (number, count)), timeout=30))
                except OSError:
                    seen.append(0)

        threads = [threading.Thread(target=flood, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(seen) > 50, 60, "a flood")
            for _ in range(20):
                self.assertEqual(self.agent.get("/metrics")[0], 200)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertNotIn(200, seen)
        self.assertIn(401, seen)
        self.assertIn(503, seen)

    def test_what_was_right_is_forgotten_when_the_file_changes(self):
        with WebAgent({"basic_auth_users": self.hashes}, CONFIG, login=basic("alice", PASSWORD)) as agent:
            self.assertEqual(agent.get("/healthz")[0], 200)
            agent.change_web({"basic_auth_users": {"alice": bcrypt("another", 5)}})
            self.assertEqual(agent.get("/healthz")[0], 401)
            self.assertEqual(agent.get("/healthz", headers=basic("alice", "another"))[0], 200)

    def test_the_log_has_no_secrets(self):
        self.status(basic("alice", "a wrong one"))
        for secret in (PASSWORD, "a wrong one", *self.hashes.values()):
            self.assertNotIn(secret, self.agent.log())
        self.assertIn("passwords without TLS can be read on their way", self.agent.log())


class RealPrometheus(unittest.TestCase):
    def test_certificates_are_replaced_while_it_scrapes_and_it_loses_nothing(self):
        """By rename, as certbot does, and by the exchange of a link to a directory, as Kubernetes does."""
        authority, clients = Authority(), Authority("clients")
        first, second, third = (authority.issue("server%d" % number) for number in range(3))
        folder = workdir()
        for version, pair in (("v1", first), ("v3", third)):
            os.mkdir("%s/%s" % (folder, version))
            for source, name in zip(pair, ("tls.crt", "tls.key")):
                os.link(source, "%s/%s/%s" % (folder, version, name))
        os.symlink("v1", folder + "/..data")
        files = folder + "/..data/tls.crt", folder + "/..data/tls.key"
        web = {"tls_server_config": {"cert_file": files[0], "key_file": files[1], "client_ca_file": clients.certificate,
                                     "client_auth_type": "RequireAndVerifyClientCert"},
               "basic_auth_users": {"prometheus": bcrypt(PASSWORD, 5)}}
        client = clients.issue("prometheus")
        agent = self.enterContext(WebAgent(web, CONFIG, client_context(authority, client), basic("prometheus", PASSWORD)))
        prometheus = self.enterContext(Prometheus([agent], interval="2s", scrape={
            "scheme": "https", "basic_auth": {"username": "prometheus", "password": PASSWORD},
            "tls_config": {"ca_file": authority.certificate, "cert_file": client[0], "key_file": client[1]}}))
        prometheus.wait_scrapes(2)
        errors = set()

        def by_rename():
            for source, name in zip(second, files):
                os.link(source, name + ".new")
                os.rename(name + ".new", name)

        def by_link():
            os.symlink("v3", folder + "/..new")
            os.rename(folder + "/..new", folder + "/..data")

        for change, wanted in ((by_rename, second), (by_link, third)):
            before = agent.served()[0]
            agent.change_web(change=change)
            self.assertNotEqual(agent.served()[0], before)
            self.assertEqual(agent.served()[0], fingerprint(wanted[0]))
            count = len(prometheus.scrapes("[1h]")[0]) + 3
            while len(prometheus.scrapes("[1h]")[0]) < count:
                errors.add(prometheus.targets()[0]["lastError"])
                time.sleep(0.2)
        times, failed = prometheus.scrapes("[1h]")
        self.assertEqual(failed, [], errors)
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        print("    %d scrapes, longest gap %.3f s" % (len(times), max(gaps)))
        self.assertLess(max(gaps), 3.9)
        self.assertNotIn(KEPT, agent.log())
        self.assertEqual(agent.log().count(ADOPTED), 2)


if __name__ == "__main__":
    unittest.main()
