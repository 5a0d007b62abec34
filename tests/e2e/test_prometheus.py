# SPDX-License-Identifier: Apache-2.0
"""The page as Prometheus and its tools see it."""

import gzip
import http.client
import http.server
import threading
import time
import unittest

from testbed import (Agent, Born, Cgroup, Prometheus, RuncRuntime, burner_argv, free_port, parse, promtool_check,
                     wait_until, watching)

PREFIX = "/plimsoll-scraped"
CONFIG = watching(PREFIX, linger="3s")
MINUTE = 60
COUNTERS = '{__name__=~"(container|plimsoll|process)_.*(_total|_bucket|_count|_sum)"}'


# What promtool finds fault with for ever: names that cAdvisor chose.
FORCED = ('container_memory_failcnt counter metrics should have "_total" suffix',)


def findings(page):
    """promtool's sentences about the page but for those."""
    code, text = promtool_check(page)
    assert code in (0, 3), text
    return [line for line in text.splitlines() if line not in FORCED]


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Lint(unittest.TestCase):
    def test_promtool_likes_the_page_idle_and_under_load(self):
        with Agent(CONFIG) as agent:
            self.assertEqual(findings(agent.page()), [])
            with Cgroup(PREFIX + "/load") as cgroup:
                busy = cgroup.spawn(["sh", "-c", "while :; do true | busybox true; done"])
                wait_until(lambda: agent.metrics().value("container_process_forks_total", id=cgroup.path) > 100, 20)
                self.assertEqual(findings(agent.page()), [])
                cgroup.kill()
                busy.wait(10)


class OneMinute(unittest.TestCase):
    """A real Prometheus scrapes every second while containers start, burn and stop."""

    @classmethod
    def setUpClass(cls):
        cls.agent = Agent(CONFIG)
        cls.addClassCleanup(cls.agent.stop)
        runtime = RuncRuntime()
        cls.addClassCleanup(runtime.close)
        argv = ["sh", "-c", " ".join(burner_argv(0, 1)) + " & exec sleep 1000"]
        cls.steady = runtime.run("steady", argv, cpus=0.4, cgroup=PREFIX + "/steady")
        cls.prometheus = Prometheus([cls.agent])
        cls.addClassCleanup(cls.prometheus.stop)
        cls.prometheus.wait_scrapes(1)
        cls.begin = time.time()
        cls.churned = cls.churn(runtime, cls.begin + MINUTE - 15)
        time.sleep(max(0.0, cls.begin + MINUTE - time.time()))  # quiet, so that the number of series can settle
        cls.window = "[%ds]" % MINUTE

    @classmethod
    def churn(cls, runtime, end):
        """Containers come and go until the end; returns the paths."""
        paths = []
        while time.time() < end:
            name = "churn-%d" % len(paths)
            paths.append("%s/%s" % (PREFIX, name))
            if len(paths) % 5 == 0:
                runtime.run(name, burner_argv(0.3, 2), cgroup=paths[-1]).wait()
                runtime.remove(runtime.containers[-1])
            else:
                with Cgroup(paths[-1]) as cgroup:
                    Born(cgroup, lambda: time.sleep(0.2)).wait()
            time.sleep(0.1)
        return paths

    def test_no_scrape_failed_and_none_is_missing(self):
        times, failed = self.prometheus.scrapes(self.window)
        self.assertEqual(failed, [], "began at %s; durations %s" % (self.begin, self.prometheus.query(
            "scrape_duration_seconds" + self.window)[0]["values"] if failed else ""))
        # Prometheus itself leaves one out when it gets no CPU at its time.
        self.assertGreaterEqual(len(times), 0.95 * MINUTE - 1)
        gaps = [later - earlier for earlier, later in zip(times, times[1:])]
        self.assertLess(max(gaps), 2.9)
        slowest = self.prometheus.value("max(max_over_time(scrape_duration_seconds%s))" % self.window)
        print("    %d scrapes, longest gap %.3f s, slowest scrape %.3f s, %d containers came and went"
              % (len(times), max(gaps), slowest, len(self.churned)))

    def test_prometheus_kept_every_sample(self):
        self.assertEqual(self.prometheus.refused(), {})
        for line in self.prometheus.log().splitlines():
            self.assertNotIn("ngesting", line)
            self.assertNotRegex(line, "level=(error|warn)")
        dropped = "scrape_samples_scraped - scrape_samples_post_metric_relabeling"
        self.assertEqual(self.prometheus.value(dropped), 0)

    def test_the_number_of_series_settles(self):
        quiet = self.prometheus.query("scrape_samples_scraped[8s]")[0]["values"]
        self.assertEqual(len({value for _, value in quiet}), 1, quiet)
        left = self.prometheus.query('count by (id) (container_threads)')
        self.assertEqual([one["metric"]["id"] for one in left], [self.steady.cgroup_path])

    def test_every_container_was_scraped_and_no_counter_went_back(self):
        counters = self.prometheus.query(COUNTERS + self.window)
        self.assertGreater(len(counters), 1000)
        for counter in counters:
            values = [float(value) for _, value in counter["values"]]
            self.assertEqual(values, sorted(values), counter["metric"])
        threads = self.prometheus.query("last_over_time(container_threads%s)" % self.window)
        seen = {one["metric"]["id"] for one in threads}
        self.assertEqual(seen, {*self.churned, self.steady.cgroup_path})
        lived = 'last_over_time(container_process_seconds_count{id=~".*/churn-.*"}%s)' % self.window
        self.assertEqual([one for one in self.prometheus.query(lived) if float(one["value"][1]) < 1], [])

    def test_two_threads_grow_by_two_seconds_a_second(self):
        selector = '{id="%s"}[40s]' % self.steady.cgroup_path
        threads = self.prometheus.value("sum(rate(container_thread_seconds_total%s))" % selector)
        lifetime = self.prometheus.value("rate(container_thread_lifetime_seconds_total%s)" % selector)
        by_state = self.prometheus.query("sum by (state) (rate(container_thread_seconds_total%s))" % selector)
        states = {one["metric"]["state"]: float(one["value"][1]) for one in by_state}
        print("    %.4f threads, lifetime %.4f, %s"
              % (threads, lifetime, {state: round(rate, 4) for state, rate in states.items() if rate}))
        self.assertAlmostEqual(threads, 2, delta=0.02)
        self.assertAlmostEqual(lifetime, 2, delta=0.02)
        self.assertAlmostEqual(states["sleep"], 1, delta=0.02)
        self.assertGreater(states["running"], 0.1)

    def test_the_agent_lost_nothing(self):
        for expression in ("max_over_time(plimsoll_events_lost_total%s)",
                           "max_over_time(plimsoll_containers_overflow%s)",
                           'max(max_over_time(plimsoll_kernel_failures_total{place!="switch_in_unseen"}%s))',
                           "max_over_time(plimsoll_cgroup_resync_corrections_total%s)"):
            self.assertEqual(self.prometheus.value(expression % self.window), 0, expression)
        self.assertLess(self.prometheus.value("max_over_time(plimsoll_ledger_residual_seconds%s)" % self.window), 0.001)


class Exchange(unittest.TestCase):
    """HTTP, as Prometheus speaks it and as others do."""

    @classmethod
    def setUpClass(cls):
        cls.agent = Agent(CONFIG)
        cls.addClassCleanup(cls.agent.stop)
        cls.cgroup = Cgroup(PREFIX + "/asked").create()
        cls.addClassCleanup(cls.cgroup.remove)

    def request(self, method, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.port, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()

    def headers_of_prometheus(self):
        """What a real one asks with."""
        asked = []

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(dict(self.headers.items()))
                self.send_error(503)

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", free_port()), Listener) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                with Prometheus(["127.0.0.1:%d" % server.server_port]):
                    wait_until(lambda: asked, 20, "a scrape by Prometheus")
            finally:
                server.shutdown()
                thread.join()
        return asked[0]

    def test_prometheus_gets_what_it_asks_for_which_is_openmetrics_in_gzip(self):
        headers = self.headers_of_prometheus()
        self.assertIn("openmetrics", headers["Accept"])
        response, body = self.request("GET", "/metrics", headers)
        self.assertEqual(response.status, 200)
        self.assertRegex(response.headers["Content-Type"], r"^application/openmetrics-text; ?version=1\.0\.0")
        self.assertEqual(response.headers["Content-Encoding"], "gzip")
        page = gzip.decompress(body).decode()
        self.assertTrue(page.endswith("\n# EOF\n"))
        self.assertEqual(page.count("# EOF"), 1)

        def series(text):
            return {line.rsplit(" ", 1)[0] for line in text.splitlines() if line and not line.startswith("#")}
        self.assertEqual(series(page), series(self.agent.page()))
        self.assertIn("# TYPE container_thread_seconds counter\n", page)
        self.assertIn("# UNIT container_thread_seconds seconds\n", page)

    def test_others_get_plain_text(self):
        for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/html", "Accept-Encoding": "br, gzip;q=0"}):
            response, body = self.request("GET", "/metrics", headers)
            self.assertEqual(response.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            self.assertNotIn("Content-Encoding", response.headers)
            self.assertIn("container_threads", parse(body.decode()))

    def test_head_tells_what_get_would_without_the_page(self):
        for path in ("/metrics", "/", "/healthz", "/readyz"):
            response, body = self.request("HEAD", path)
            self.assertEqual((response.status, body), (200, b""), path)
            self.assertGreater(int(response.headers["Content-Length"]), 2)
            self.assertEqual(response.headers["Content-Type"], self.request("GET", path)[0].headers["Content-Type"])

    def test_the_other_pages(self):
        self.assertEqual(self.request("GET", "/healthz")[1], b"ok\n")
        self.assertEqual(self.request("GET", "/readyz")[1], b"ready\n")
        response, body = self.request("GET", "/")
        self.assertTrue(response.headers["Content-Type"].startswith("text/html"))
        for wanted in ("plimsoll", "/metrics", self.cgroup.path):
            self.assertIn(wanted, body.decode().lower())
        for method, path, status in (("GET", "/nothing", 404), ("GET", "/metrics/../etc/passwd", 404),
                                     ("POST", "/metrics", 405), ("PUT", "/", 405), ("DELETE", "/metrics", 405),
                                     ("OPTIONS", "/metrics", 405)):
            with self.subTest(method + " " + path):
                response, _ = self.request(method, path)
                self.assertEqual(response.status, status)
                if status == 405:
                    self.assertEqual(response.headers["Allow"], "GET, HEAD")


if __name__ == "__main__":
    unittest.main()
