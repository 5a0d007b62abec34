# SPDX-License-Identifier: Apache-2.0
"""Far more cgroups than there are slots: the page goes on, has a maximum, and no count is lost."""

import collections
import json
import os
import time
import unittest

from under_load import (Agent, Born, Cgroup, Crowd, Scraper, count, has_children, ids, kernel_failures, resident_mib,
                        some_of, wait_until, watching, workdir)

PREFIX = "/plimsoll-test-crowds"
MAX = 64
EXITS = "container_process_exits_total"
LEFT_OUT = "plimsoll_scrape_containers_left_out"
OVERFLOW = "plimsoll_containers_overflow"
WALKED = 32  # seconds after its start the agent has walked the whole tree once
KIB_EACH = 2  # of the agent's memory, for a cgroup that it has to remember


def setUpModule():
    unittest.addModuleCleanup(Cgroup(PREFIX).create().remove)


class Candidates(unittest.TestCase):
    """Cgroups that would all be containers, if only there were slots for them."""

    def wait(self, agent, name, wanted):
        """Until the agent has heard of all, be it by its slow walk of the tree; its own families then."""
        def look():
            families = some_of(agent, "plimsoll_")
            return families if families.value(name) == wanted else None
        return wait_until(look, 90, "%s of %d" % (name, wanted), interval=0.5)

    def test_the_page_goes_on_and_memory_is_bounded(self):
        number = count(50000, 3000)
        with Crowd(Cgroup(PREFIX + "/crowd")) as crowd, \
                Agent(watching(PREFIX + "/crowd", max=MAX, linger="1s")) as agent:
            began = time.monotonic()
            before = resident_mib(agent.pid)[0]
            with Scraper(agent, 0.2) as scraper:
                for candidate in range(number):
                    crowd.add('%05d"\\\n'.replace("\n", "\udcff") % candidate + "x" * 200)
                families = self.wait(agent, OVERFLOW, number - MAX)
                made = time.monotonic() - began
                time.sleep(max(0.0, began + count(WALKED, 0) - time.monotonic()))
                most = resident_mib(agent.pid)[1]
                size = families.value("plimsoll_scrape_bytes")
                crowd.remove()
                self.wait(agent, OVERFLOW, 0)
                families = self.wait(agent, "plimsoll_containers_removed_total", number)
            print("    %d in %.1f s, gone after %.1f s; %d scrapes, slowest %.2f s; %d bytes; %.1f MiB, at most %.1f; lost %d"
                  % (number, made, time.monotonic() - began, len(scraper.answers), scraper.slowest(), size, before, most,
                     families.value("plimsoll_events_lost_total")))
            self.assertEqual(scraper.failures(), [])
            self.assertLessEqual(len(ids(scraper.parsed()[1])), 2 * MAX + 1)
            self.assertEqual(families.value("plimsoll_containers_added_total"), number)
            self.assertLess(most - before, 20 + number * KIB_EACH / 1024)
            # who was born faster than the agent could look had no slot of his own at first: that is counted
            self.assertLessEqual(set(kernel_failures(families)), {("scope", "provisional_slots_exhausted")})


class LargestPage(unittest.TestCase):
    """Containers whose labels are as long as they can be, on each of their lines."""

    HOSTILE, HONEST, LARGEST = 50, 5, 32 << 20

    def container(self, crowd, root, number, label):
        labels = {"io.kubernetes." + key: label for key in ("pod.name", "pod.namespace", "container.name")}
        container_id = "%064x" % number
        os.makedirs("%s/containers/%s" % (root, container_id))
        with open("%s/containers/%s/config.v2.json" % (root, container_id), "w", encoding="utf-8") as file:
            json.dump({"Name": "/" + label[1:], "Config": {"Image": label, "Labels": labels}}, file)
        return crowd.add(container_id)

    def test_the_page_has_a_maximum_and_honest_containers_are_on_it(self):
        root = workdir()
        config = {"containers": {"discover": ["docker"], "include": [{"cgroup": PREFIX + "/**"}], "max": MAX,
                                 "roots": {"docker": root}}}
        with Crowd(Cgroup(PREFIX + "/docker")) as crowd:
            honest = {self.container(crowd, root, number, "web-%d" % number) for number in range(self.HONEST)}
            for number in range(self.HONEST, self.HONEST + self.HOSTILE):
                self.container(crowd, root, number, "x" * 1020 + "%04d" % number)
            with Agent(config) as agent:
                agent.page()
                size = len(agent.page())
                families = some_of(agent, "container_threads", LEFT_OUT)
                most = resident_mib(agent.pid)[1]
        left_out = families.value(LEFT_OUT)
        print("    %d bytes; %d of %d containers left out; at most %.1f MiB of memory"
              % (size, left_out, self.HONEST + self.HOSTILE, most))
        self.assertLessEqual(size, self.LARGEST)
        self.assertGreater(size, self.LARGEST / 2)
        self.assertGreater(left_out, 0)
        self.assertLessEqual(honest, ids(families))
        self.assertEqual(len(ids(families)), self.HONEST + self.HOSTILE - left_out)
        self.assertLess(most, 20 + 4 * self.LARGEST / (1 << 20))


class Slots(unittest.TestCase):
    """What happens in containers without a slot is counted with `overflow`, and nothing is lost or counted twice."""

    def lives(self, cgroup, number):
        """Some children, then an end; {counter: by how much}, and how long the process lived at least and at most."""
        children = number % 3
        born = Born(cgroup, has_children(children, then=lambda: 7))
        life = born.wait()
        return collections.Counter(forks=children + Born.FORKS, success=children, failure=1), (life.inside, life.outside)

    def told(self, families, **labels):
        exits = families.by("outcome", EXITS, **labels) if labels else {
            outcome: families.sum(EXITS, outcome=outcome) for outcome in ("success", "failure")}
        return {"forks": families.sum("container_process_forks_total", **labels), **exits}

    def test_counts_of_those_without_a_slot_are_in_the_overflow_and_the_sum_is_exact(self):
        number = count(5000, 500)
        truth, bounds = {}, [0.0, 0.0]
        with Crowd(Cgroup(PREFIX + "/slots")) as crowd:
            earlier = [crowd.add("early-%04d" % place) for place in range(number // 2)]
            with Agent(watching(PREFIX + "/slots", max=MAX)) as agent:
                self.assertEqual(some_of(agent, OVERFLOW).value(OVERFLOW), number // 2 - MAX)
                for place in range(number):
                    path = earlier[place] if place < len(earlier) else crowd.add("late-%04d" % place)
                    truth[path], life = self.lives(Cgroup(path), place)
                    bounds = [have + more for have, more in zip(bounds, life)]
                families = some_of(agent, "container_process_", "container_thread", "plimsoll_")
            own = ids(families) - {"overflow"}
            self.assertEqual(len(own), MAX)
            self.assertEqual(families.value(OVERFLOW), number - MAX)
            for path in own:
                self.assertEqual(self.told(families, id=path), truth[path], path)
            rest = sum((counts for path, counts in truth.items() if path not in own), collections.Counter())
            self.assertEqual(self.told(families, id="overflow"), rest)
            self.assertEqual(self.told(families), sum(truth.values(), collections.Counter()))
            lifetime = families.sum("container_thread_lifetime_seconds_total")
            # children live while their parent waits: at most as long again
            self.assertTrue(bounds[0] <= lifetime <= 2 * bounds[1], (bounds, lifetime))
            self.assertEqual(kernel_failures(families), {})


if __name__ == "__main__":
    unittest.main()
