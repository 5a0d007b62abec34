# SPDX-License-Identifier: Apache-2.0
"""The test bed itself: without it the other tests could be right for the wrong reason."""

import json
import os
import unittest

from testbed import (NspawnRuntime, OnEveryRuntime, ParseError, RUNTIMES, Rootfs, Waiter, burner_argv, forker_argv,
                     hierarchies, parse, wait_until, workdir)


class Runtimes(OnEveryRuntime, unittest.TestCase):
    """Every runtime starts a container in a cgroup of its own, obeys limits, and leaves nothing behind."""

    @classmethod
    def setUpClass(cls):
        cls.rootfs = Rootfs()

    def check(self, name):
        with RUNTIMES[name](self.rootfs) as runtime:
            shared = workdir()
            with Waiter(runtime, "testbed-" + name, shared, cpus=0.5, memory=64 << 20) as waiter:
                container = waiter.container
                self.assertTrue(container.alive())
                self.assertEqual(container.exec(["echo", "inside"]).stdout, "inside\n")
                truth = waiter.do("tcp_recv", 0.2)
                self.assertIsNone(truth.error)
                # its timeout is a number of ticks (10 ms at most), of which the first has begun already
                self.assertGreaterEqual(truth.states()["socket"], 190_000_000)
                self.assertGreater(container.cpu_usage_ns(), 0)
                container.stop()
                self.assertFalse(container.alive())
            left = [point + container.cgroup_path for point in hierarchies().values()
                    if os.path.exists(point + container.cgroup_path)]
            self.assertEqual(left, [])

    def test_a_booted_nspawn_has_services(self):
        with NspawnRuntime(self.rootfs) as runtime:
            container = runtime.boot("testbed-booted")
            services = hierarchies()[""] + container.cgroup_path + "/payload/system.slice"
            self.assertTrue(os.path.isdir(services))


class Workloads(unittest.TestCase):
    """Every kind of known wait can be done in a container, and lasts as long as asked."""

    def test_every_kind_waits_for_the_asked_time(self):
        with RUNTIMES["runc"]() as runtime, Waiter(runtime, "testbed-kinds", workdir()) as waiter:
            for kind in waiter.kinds():
                with self.subTest(kind):
                    truth = waiter.do(kind, 0.05)
                    self.assertIsNone(truth.error)
                    self.assertGreater(sum(truth.states().values()), 0.03e9)

    def test_burners_and_forkers_report_what_the_kernel_charged(self):
        with RUNTIMES["runc"]() as runtime:
            for name, argv in (("burn", burner_argv(0.3, 2, 0)), ("fork", forker_argv(23, 1000))):
                container = runtime.run("testbed-" + name, ["sh", "-c", " ".join(argv) + "; sleep 100"])
                truth = json.loads(wait_until(lambda c=container: runtime.log(c), 20, "output of " + name))
                cpu_ns = sum(truth["cpu_ns"]) if name == "burn" else truth["cpu_ns"]
                self.assertGreater(cpu_ns, 20_000_000)
                self.assertLess(cpu_ns, container.cpu_usage_ns())


class Parser(unittest.TestCase):
    """The page parser refuses what a consumer could stumble over."""

    def test_it_reads_labels_and_values(self):
        page = '# HELP a_total Text.\n# TYPE a_total counter\na_total{x="1\\n\\"\\\\",y=""} 2.5e3\na_total 1\n'
        families = parse(page)
        self.assertEqual(families.value("a_total", x='1\n"\\'), 2500)
        self.assertEqual(families["a_total"].help, "Text.")

    def test_it_refuses(self):
        for what, page in {
            "a repeated series": "a 1\na 1\n",
            "a repeated series with labels in another order": 'a{x="1",y="2"} 1\na{y="2",x="1"} 1\n',
            "a family in two blocks": "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na{x=\"1\"} 1\n",
            "a sample outside its block": "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x=\"1\"} 1\n",
            "a missing last line feed": "a 1",
            "a raw quote": 'a{x="1"2"} 1\n',
            "an unknown escape": 'a{x="\\t"} 1\n',
            "a repeated label": 'a{x="1",x="2"} 1\n',
            "a timestamp": "a 1 1600000000000\n",
            "no value": "a \n",
            "buckets that fall": "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
            "buckets without +Inf": "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_count 2\n",
        }.items():
            with self.subTest(what), self.assertRaises(ParseError):
                parse(page)


if __name__ == "__main__":
    unittest.main()
