#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page at `/` in a real browser, over containers whose load is known.

test_page.py --screenshot FILE makes a picture of it instead.
"""

import base64
import hashlib
import re
import shutil
import sys
import time
import unittest

from testbed import Agent, Born, Cgroup, RuncRuntime, Waiter, burner_argv, wait_until, watching, workdir
from plimsoll_testbed.browser import BROWSER, Browser

PREFIX = "/plimsoll-page"
HOSTILE = "<b onclick=x>&amp;'\"" + "x" * 200
MIB = 1 << 20
LIMIT = 64 * MIB
NAMES = {"burner", "starved", "sleepers", "hoarder", "writer", "pipeline", "locked", HOSTILE}
# Each row as the page has it: texts of the cells, bars as [class, width in CSS, width and height on the screen, title].
ROWS = """[...document.querySelectorAll('tbody tr')].map(row => ({
    name: row.querySelector('b').textContent, title: row.querySelector('th').title, ended: row.className,
    cells: [...row.cells].map(cell => cell.innerText),
    bars: [...row.cells].map(cell => [...cell.querySelectorAll('i')].map(bar => [bar.className,
        parseFloat(bar.style.width), bar.getBoundingClientRect().width / bar.parentNode.getBoundingClientRect().width,
        bar.getBoundingClientRect().height, bar.title]))}))"""
CPU, WAIT, MEMORY, THREADS, PROCESSES = 1, 2, 3, 4, 5


def start_scene(runtime):
    """Containers with something in every column."""
    def start(name, argv, **options):
        return runtime.run(name, argv, cgroup="%s/%s" % (PREFIX, name), **options)
    start("burner", burner_argv(1000, 2), cpus=0.8)
    start("starved", burner_argv(1000, 1), cpus=0.1)
    start("sleepers", ["sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000; :"])
    start("hoarder", ["sh", "-c", "dd if=/dev/zero bs=48M count=1 | sleep 1000"], memory=LIMIT)
    start("writer", ["sh", "-c", "while :; do dd if=/dev/zero of=/out/file bs=64k count=16 conv=fsync; done"],
          mounts=[(workdir(), "/out")], cpus=0.2)
    start("pipeline", ["sh", "-c", "while :; do sleep 0.01; echo line; done | cat >/dev/null"], cpus=0.2)
    Waiter(runtime, "locked", workdir(), cgroup=PREFIX + "/locked").start("futex_wait", 1000)


def wait_for_scene(agent):
    agent.wait_value("container_threads", lambda threads: threads == 4, id=PREFIX + "/sleepers")
    agent.wait_value("container_threads", lambda threads: threads == 3, id=PREFIX + "/hoarder")


def bytes_of(text):
    number, unit = re.match(r"([\d.]+) (B|KiB|MiB|GiB)", text).groups()
    return float(number) * 1024 ** ("B", "KiB", "MiB", "GiB").index(unit)


@unittest.skipUnless(shutil.which(BROWSER), "chromium is missing; deploy/install-deps.sh tests installs it")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.enterClassContext(Cgroup(PREFIX))
        runtime = cls.enterClassContext(RuncRuntime())
        cls.agent = cls.enterClassContext(Agent(watching(PREFIX, linger="10s")))
        cls.url = "http://127.0.0.1:%d/" % cls.agent.port
        start_scene(runtime)
        hostile = cls.enterClassContext(Cgroup("%s/%s" % (PREFIX, HOSTILE)))
        Born(hostile, lambda: time.sleep(1000))
        wait_for_scene(cls.agent)
        time.sleep(1.5)  # a second of the smallest window, and some

    def browser(self, **options):
        return self.enterContext(Browser(**options))

    def rows(self, browser):
        return {row["name"]: row for row in browser.evaluate(ROWS)}

    def check_quiet(self, browser):
        """It asked for nothing but itself, and nothing was against the policy."""
        others = [url for url in browser.requests if url.split("?")[0] != self.url]
        self.assertEqual(others, [])
        self.assertEqual(browser.complaints, [])

    def test_the_burner_is_first_and_every_container_is_there(self):
        browser = self.browser()
        browser.open(self.url)
        rows = browser.evaluate(ROWS)
        self.assertEqual(rows[0]["name"], "burner")
        self.assertEqual({row["name"] for row in rows}, NAMES)
        self.check_quiet(browser)

    def test_bars_are_as_long_as_the_numbers_beside_them(self):
        browser = self.browser()
        browser.open(self.url)
        rows = self.rows(browser)
        scale = float(re.search(r"A full bar is ([\d.]+) cores",
                                browser.evaluate("document.querySelector('main').innerText")).group(1))
        for row in rows.values():
            for column in (CPU, WAIT):
                if row["cells"][column] == "–":
                    self.assertEqual(row["bars"][column], [])
                    continue
                _, _, width, height, _ = row["bars"][column][0]
                number = float(row["cells"][column].split()[0])
                self.assertAlmostEqual(width, number / scale, delta=0.02)
                self.assertGreater(height, 4)
            self.check_memory(row)
            self.check_states(row)

    def check_memory(self, row):
        text = row["cells"][MEMORY]
        if " of " not in text:  # not known, or no limit
            return
        used, limit = (bytes_of(part) for part in text.split(" of "))
        self.assertEqual((row["name"], limit), ("hoarder", LIMIT))
        self.assertGreater(used, 40 * MIB)
        self.assertAlmostEqual(row["bars"][MEMORY][0][2], used / limit, delta=0.02)

    def check_states(self, row):
        number, text = row["cells"][THREADS].strip().split(" ", 1)
        states = {state: int(count) for count, state in (part.split() for part in text.split(", "))}
        self.assertEqual(sum(states.values()), int(number), row)
        for _, css_width, width, height, title in row["bars"][THREADS]:
            count, state = title.split()
            self.assertEqual(states.pop(state), int(count))
            self.assertAlmostEqual(css_width, int(count) / int(number) * 100, delta=0.06)
            self.assertAlmostEqual(width, int(count) / int(number), delta=0.02)
            self.assertGreater(height, 4)
        self.assertEqual(states, {})

    def test_states_and_processes_are_what_the_containers_do(self):
        browser = self.browser()
        browser.open(self.url)
        rows = self.rows(browser)
        self.assertEqual(rows["sleepers"]["cells"][THREADS].strip(), "4 3 sleep, 1 child")
        self.assertEqual([bar[1] for bar in rows["sleepers"]["bars"][THREADS]], [75, 25])
        self.assertEqual(rows["sleepers"]["cells"][PROCESSES], "4")
        self.assertEqual(rows["burner"]["cells"][PROCESSES], "1")
        self.assertRegex(rows["burner"]["cells"][THREADS], r"^2 ")

    def test_a_hostile_name_is_shown_cut_and_whole_in_its_title(self):
        browser = self.browser()
        browser.open(self.url)
        row = self.rows(browser)[HOSTILE]
        self.assertEqual(row["title"], "%s\n%s/%s" % (HOSTILE, PREFIX, HOSTILE))
        self.assertFalse(browser.evaluate("document.querySelector('[onclick]') !== null"))
        for width in (1280, 390):
            browser.resize(width, 800)
            self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), width)
            heights = browser.evaluate("[...document.querySelectorAll('tbody b, tbody th span')].map("
                                       "line => line.getBoundingClientRect().height)")
            self.assertLess(max(heights), 30)  # one line each

    def test_the_heads_sort_and_the_choice_survives_a_refresh(self):
        browser = self.browser(javascript=False)
        browser.open(self.url)
        for key in ("name", "threads"):
            browser.open(browser.evaluate("document.querySelector('a[href=\"?sort=%s\"]').href" % key))
            browser.wait("document.querySelector('[aria-sort] a')?.getAttribute('href') == '?sort=%s'" % key)
            self.reloaded(browser)
            rows = browser.evaluate(ROWS)
            if key == "name":
                self.assertEqual([row["name"] for row in rows], sorted(row["name"] for row in rows))
            else:
                counts = [int(row["cells"][THREADS].split(" ")[0]) for row in rows]
                self.assertEqual(counts, sorted(counts, reverse=True))
        self.assertTrue(browser.evaluate("location.search") == "?sort=threads")
        self.check_quiet(browser)

    def reloaded(self, browser):
        """Until the page of another sample is there; a mark says whether the document is still the same."""
        before = browser.evaluate("window.mark = true, document.querySelector('time').textContent")
        browser.wait("document.readyState == 'complete' && document.querySelector('time') !== null && "
                     "document.querySelector('time').textContent != '%s'" % before, 20)
        return not browser.evaluate("!!window.mark")

    def test_with_javascript_it_refreshes_in_place(self):
        browser = self.browser(height=300)
        browser.open(self.url)
        browser.evaluate("window.scrollTo(0, 50), document.querySelector('a[href=\"?sort=memory\"]').focus()")
        place = browser.evaluate("window.scrollY")
        self.assertGreater(place, 0)
        self.assertFalse(self.reloaded(browser))
        self.assertEqual(browser.evaluate("window.scrollY"), place)
        self.assertEqual(browser.evaluate("document.activeElement.getAttribute('href')"), "?sort=memory")
        self.assertEqual(self.rows(browser).keys(), NAMES)
        self.check_quiet(browser)

    def test_without_javascript_it_shows_the_table_and_reloads_itself(self):
        browser = self.browser(javascript=False)
        browser.open(self.url)
        self.assertEqual(browser.evaluate(ROWS)[0]["name"], "burner")
        self.assertTrue(self.reloaded(browser))
        self.assertEqual(browser.evaluate(ROWS)[0]["name"], "burner")
        self.check_quiet(browser)

    def test_what_is_not_of_the_page_neither_runs_nor_loads(self):
        browser = self.browser()
        browser.open(self.url)
        browser.evaluate("""document.body.append(
            Object.assign(document.createElement('script'), {textContent: 'window.intruder = 1'}),
            Object.assign(new Image(), {src: 'metrics'}))""")
        wait_until(lambda: len(browser.complaints) >= 2 or browser.listen(0.1) and False, 10, "refusal of both")
        self.assertTrue(all("Content Security Policy" in text for text in browser.complaints), browser.complaints)
        self.assertFalse(browser.evaluate("'intruder' in window"))

    def test_a_container_that_ends_turns_grey_and_goes(self):
        browser = self.browser()
        with Cgroup(PREFIX + "/mortal") as cgroup:
            Born(cgroup, lambda: time.sleep(1000))
            browser.open(self.url)
            self.assertEqual(self.rows(browser)["mortal"]["ended"], "")
            cgroup.kill()
        wait_until(lambda: b'class="ended"' in self.agent.get("/")[2], 5)
        browser.open(self.url)
        rows = browser.evaluate(ROWS)
        self.assertEqual((rows[-1]["name"], rows[-1]["ended"]), ("mortal", "ended"))
        self.assertRegex(rows[-1]["cells"][-1], r"^ended \d+ s ago")
        browser.wait("!document.querySelector('.ended')")

    def test_an_agent_that_goes_away_is_noticed_and_its_numbers_stay(self):
        agent = self.enterContext(Agent(watching(PREFIX)))
        browser = self.browser()
        browser.open("http://127.0.0.1:%d/" % agent.port)
        self.assertTrue(browser.evaluate("document.getElementById('note').hidden"))
        agent.stop()
        browser.wait("!document.getElementById('note').hidden")
        self.assertIn("No fresh numbers", browser.evaluate("document.getElementById('note').innerText"))
        self.assertIn("burner", self.rows(browser))

    def test_the_scrapes_own_figures_do_not_count_it(self):
        page = self.agent.page()
        for _ in range(3):
            self.assertEqual(self.agent.get("/")[0], 200)
        families = self.agent.metrics()
        self.assertEqual(families.value("plimsoll_scrape_bytes"), len(page.encode()))
        self.assertEqual(families.value("plimsoll_scrape_series"),
                         sum(not line.startswith("#") for line in page.splitlines()))


class Policy(unittest.TestCase):
    def test_the_hash_is_that_of_the_script_on_the_page(self):
        with Agent(watching(PREFIX)) as agent:
            status, headers, body = agent.get("/")
            self.assertEqual(status, 200)
            self.assertIn("No container runs here", body.decode())
            script = re.search(rb"<script>(.*?)</script>", body, re.DOTALL).group(1)
            digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
            policy = headers["Content-Security-Policy"]
            self.assertTrue(policy.startswith("default-src 'none'; "), policy)
            self.assertIn("script-src 'sha256-%s'" % digest, policy)


def make_screenshot(path):
    with Cgroup(PREFIX), RuncRuntime() as runtime, Agent(watching(PREFIX)) as agent, Browser(1200, 520) as browser:
        start_scene(runtime)
        wait_for_scene(agent)
        time.sleep(12)  # so that the longer windows differ from the shortest
        agent.metrics()
        browser.open("http://127.0.0.1:%d/" % agent.port)
        browser.resize(1200, browser.evaluate("document.body.scrollHeight"))
        browser.screenshot(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--screenshot"]:
        make_screenshot(sys.argv[2])
    else:
        unittest.main()
