#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page and the completion say what the program's own --help says, in a form that their readers can read."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/plimsoll.8"
COMPLETION = ROOT / "deploy/completion/plimsoll.bash"
PROGRAM = os.environ.get("PLIMSOLL_BINARY", str(ROOT / "build/release/plimsoll"))


def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, **options)


class Case(unittest.TestCase):
    def need(self, tool):
        """Skips without the tool, but fails in CI."""
        if not shutil.which(tool):
            (self.fail if os.environ.get("CI") else self.skipTest)(f"{tool} is not there")

    def help(self, *command):
        self.need(PROGRAM)
        return run(PROGRAM, *command, "--help").stdout

    def commands(self):
        return re.findall(r"^  (\w+) ", self.help().split("Subcommands:\n")[1].split("\n\n")[0], re.MULTILINE)

    def options(self, *command):
        return set(re.findall(r"^  (?:-h,)?(--[\w.-]+)", self.help(*command), re.MULTILINE))

    def values(self, option, *command):
        """Those that --help lists for the option."""
        return set(re.search(rf"{re.escape(option)} \w+:\{{(.*?)\}}", self.help(*command)).group(1).split(","))


class ManPage(Case):
    def section(self, title):
        """Its source, with hyphens as they are read."""
        source = PAGE.read_text(encoding="utf-8").replace("\\-", "-")
        return re.search(rf"^\.SH {title}\n((?:(?!\.SH ).*\n)*)", source, re.MULTILINE).group(1)

    def test_its_readers_have_nothing_to_complain_about(self):
        for tool in ("mandoc", "man", "lexgrog"):
            self.need(tool)
        self.assertEqual(run("mandoc", "-T", "lint", "-W", "warning", str(PAGE)).stdout, "")
        groff = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(PAGE),
                    env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
        self.assertEqual((groff.returncode, groff.stderr), (0, ""))
        name = run("lexgrog", str(PAGE))
        self.assertEqual(name.returncode, 0, name.stdout)
        self.assertIn('"plimsoll - ', name.stdout)

    def test_it_has_the_commands_and_options_that_the_program_has(self):
        commands = self.commands()
        options = self.options().union(*(self.options(command) for command in commands))
        entry = r"^\.TP\n\.B\w* .*?"
        self.assertEqual(re.findall(entry + r"(\w+)$", self.section("COMMANDS"), re.MULTILINE), commands)
        self.assertEqual(set(re.findall(entry + r"(--[\w.-]+)", self.section("OPTIONS"), re.MULTILINE)), options)
        self.assertEqual(set(re.findall(r"--[\w.-]+", self.section("SYNOPSIS"))), options)

    def test_it_names_the_values_that_an_option_takes(self):
        entries = self.section("OPTIONS").split(".TP\n")
        for option, command in (("--log.level", "daemon"), ("--format", "list")):
            [about] = [entry for entry in entries if entry.startswith(f".BI {option} ")]
            named = set(re.findall(r"^\.BR? (\w+)(?: [,.])?$", about, re.MULTILINE))
            self.assertEqual(named, self.values(option, command))


class Completion(Case):
    def complete(self, *words):
        """What is offered for the last of the words."""
        done = run("bash", "--norc", "-c", 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plimsoll; '
                   'printf "%s\\n" "${COMPREPLY[@]}"', str(COMPLETION), "plimsoll", *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())

    def test_it_offers_the_commands(self):
        self.assertEqual(self.complete(""), set(self.commands()) | {"--help", "--version"})
        self.assertEqual(self.complete("da"), {"daemon"})

    def test_it_offers_the_options_of_each_command(self):
        for command in self.commands():
            self.assertEqual(self.complete(command, ""), self.options(command), command)
        self.assertEqual(self.complete("daemon", "--lo"), {"--log.level"})

    def test_it_offers_the_values_that_an_option_takes(self):
        self.assertEqual(self.complete("daemon", "--log.level", ""), self.values("--log.level", "daemon"))
        self.assertEqual(self.complete("list", "--format", "j"), {"json"})
        self.assertEqual(self.complete("list", "--format", ""), self.values("--format", "list"))

    def test_it_offers_files_for_the_configuration(self):
        self.assertEqual(self.complete("check", "--config", "config/pl"), {"config/plimsoll.yaml"})

    def test_it_is_known_by_the_programs_name(self):
        done = run("bash", "--norc", "-c", f"source '{COMPLETION}'; complete -p plimsoll")
        self.assertIn("-F _plimsoll plimsoll", done.stdout)


if __name__ == "__main__":
    unittest.main()
