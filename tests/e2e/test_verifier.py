# SPDX-License-Identifier: Apache-2.0
"""How many instructions the kernel's verifier went through for each program: far from its limit, and not much more than
the last time that it was written down."""

import unittest

from testbed import Agent, command, kernel_facts, note, verified_instructions, watching

LIMIT = 1_000_000  # BPF_COMPLEXITY_LIMIT_INSNS
RISE = 1.2


class Verifier(unittest.TestCase):
    def loaded(self):
        """{program: instructions}, by every way in that this kernel has."""
        found = {}
        methods = ("syscalls", "fentry") if "fexit" in command("check").stdout else ("syscalls",)
        for method in methods:
            config = {**watching("/plimsoll-test"), "probes": {"io": {"enabled": True, "method": method}}}
            config["containers"]["include"] = [{"connects_to": "192.0.2.1:5432"}]
            with Agent(config) as agent:
                self.assertEqual(agent.value("plimsoll_probe_up", probe="io"), 1)
                found.update(verified_instructions(agent.pid))
        return found

    def test_programs_are_far_from_the_verifiers_limit_and_did_not_grow_much(self):
        found, known = self.loaded(), kernel_facts().get("programs", {})
        self.assertGreater(len(found), 25)
        for name, count in found.items():
            note("programs", name, count)
        print("    the most: %s" % ", ".join("%s %d" % pair for pair in
                                              sorted(found.items(), key=lambda pair: -pair[1])[:3]))
        self.assertEqual({name: count for name, count in found.items() if count > LIMIT / 4}, {})
        if known:  # else nobody has run this kernel yet
            grown = {name: (known.get(name), count) for name, count in found.items()
                     if name not in known or count > RISE * known[name]}
            self.assertEqual(grown, {}, "if it has to be: CONTRIBUTING.md says how the figures are written down anew")
            self.assertEqual(sorted(set(known) - set(found)), [], "no longer loaded")


if __name__ == "__main__":
    unittest.main()
