#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules about the repository itself: the pieces of each probe, licence lines, sizes, form, links, generated pages.

Needs neither root nor a build; what needs a tool or the built program says so, and with CI set its absence fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/bench/peers")]
import kernel_support  # noqa: E402 pylint: disable=wrong-import-position
import tables  # noqa: E402 pylint: disable=wrong-import-position

LINE_LIMIT = 350  # the aim is 300
LINES_OF = ("daemon", "bpf", "tests")
APACHE = "SPDX-License-Identifier: Apache-2.0"
KERNEL_SIDE = "SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause"
CODE = {".cpp", ".h", ".c", ".inc", ".py", ".sh", ".cmake"}
LEFT_OUT = {".git", "build", ".cache", "__pycache__"}

# Where links and downloads may point. A new host is a decision: add it here.
KNOWN_HOSTS = re.compile(
    r"(localhost|127\.0\.0\.\d+|\[::1?\]|0\.0\.0\.0|([\w-]+\.)*(example(\.(com|org|net))?|kernel\.org|lwn\.net"
    r"|github\.com|prometheus\.io|grafana\.com|openmetrics\.io|debian\.org|apache\.org|gnu\.org|keepachangelog\.com"
    r"|semver\.org|man7\.org|opencontainers\.org|kubernetes\.io|docker\.com|podman\.io|systemd\.io|w3\.org"
    r"|json-schema\.org|freedesktop\.org))"
)

# Things of whoever wrote a file, not of the project. Spelled so that this file does not contain them.
FORBIDDEN = {
    "a path of somebody's machine": re.compile(r"(?<![\w.<>-])/" + r"(work/|home/\w+/|tmp/h/)"),
    "talk about how it was made": re.compile(r"\b[Ss]es" + r"sions?\b(?!-|\.(slice|scope|service))"),
    "an issue by number": re.compile(r"\b[Ii]ssue " + r"#?\d"),
}


def files(*suffixes, under="."):
    """Every file of the repository (paths relative to its root), without what builds leave behind."""
    for folder, folders, names in os.walk(ROOT / under):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(set(names) - LEFT_OUT):
            path = Path(folder, name)
            if path.is_file() and (not suffixes or path.suffix in suffixes):
                yield path.relative_to(ROOT)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def probes():
    return re.findall(r"^PLIMSOLL_PROBE(?:_OFF)?\((\w+)\)", read("daemon/probes/list.inc"), re.M)


def is_kernel_side(path):
    return path.parts[0] == "bpf" or path.name.endswith((".bpf.c", ".bpf.h"))


class MetaTest(unittest.TestCase):
    def fail_with(self, problems):
        if problems:
            self.fail("\n" + "\n".join(problems))

    def need(self, tool):
        """The tool's path; skips without it, but fails in CI."""
        found = shutil.which(tool) or (str(ROOT / tool) if (ROOT / tool).is_file() else None)
        if not found:
            (self.fail if os.environ.get("CI") else self.skipTest)(f"{tool} is not there")
        return found


class Probes(MetaTest):
    def test_there_is_at_least_one_probe_and_none_twice(self):
        self.assertTrue(probes())
        self.assertEqual(len(probes()), len(set(probes())))

    def test_a_line_has_its_reader(self):
        self.fail_with([f"daemon/probes/{probe}.cpp is missing: list.inc has a line for it"
                        for probe in probes() if not (ROOT / f"daemon/probes/{probe}.cpp").is_file()])

    def test_kernel_programs_have_a_line(self):
        self.fail_with([f"{path}: no line in daemon/probes/list.inc"
                        for path in files(".c", under="bpf/probes")
                        if path.name.removesuffix(".bpf.c") not in probes()])

    def test_a_probe_has_a_test(self):
        """By its file's name (x_test.cpp), or by what it includes or expects ("probes/x.h", probe="x")."""
        tests = [path for path in files(".cpp", ".py", under="tests") if "meta" not in path.parts]
        problems = []
        for probe in probes():
            named = re.compile(rf"(^|_){probe}(_|\.)")
            mentioned = re.compile(rf"probes/{probe}\b|\bprobe=\W{{0,2}}{probe}\b")
            if not any(named.search(path.name) or mentioned.search(read(path)) for path in tests):
                problems.append(f"probe {probe}: no test mentions it")
        self.fail_with(problems)


class Files(MetaTest):
    def test_each_file_names_its_licence(self):
        problems = []
        for path in files():
            if path.suffix not in CODE and path.name != "CMakeLists.txt":
                continue
            wanted = KERNEL_SIDE if is_kernel_side(path) else APACHE
            head = read(path).splitlines()[:2]  # the second line where the first is a #!
            if head and not any(wanted in line for line in head):
                problems.append(f"{path}: the first line is not {wanted!r}")
        self.fail_with(problems)

    def test_no_file_is_longer_than_a_head_can_hold(self):
        problems = []
        for folder in LINES_OF:
            for path in files(*CODE, under=folder):
                lines = read(path).count("\n")
                if lines > LINE_LIMIT:
                    problems.append(f"{path}: {lines} lines, the limit is {LINE_LIMIT}")
        self.fail_with(problems)

    def test_nothing_of_the_workplace_is_in_the_project(self):
        problems = []
        for path in files():
            if path.parts[0] == "LICENSES" or path.name == "LICENSE":
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                problems += [f"{path}:{number}: {what}: {line.strip()[:80]}"
                             for what, pattern in FORBIDDEN.items() if pattern.search(line)]
        self.fail_with(problems)

    def test_addresses_point_to_known_hosts(self):
        address = re.compile(r"\b(?:https?|ftp)://([\w.\[\]:-]*[\w\]])")
        problems = []
        for path in files():
            if path.parts[0] == "LICENSES" or path.name == "LICENSE":
                continue
            for host in address.findall(read(path)):
                name = re.sub(r":\d+$", "", host)
                if "." in name and not KNOWN_HOSTS.fullmatch(name):
                    problems.append(f"{path}: {host} is not a host that this repository refers to")
        self.fail_with(problems)

    def test_formatting_is_clang_formats(self):
        tool = self.need("clang-format-19")
        sources = [str(path) for path in files(".cpp", ".h", ".c") if path.parts[0] in LINES_OF]
        result = subprocess.run([tool, "--dry-run", "--Werror", *sources], cwd=ROOT, capture_output=True, text=True)
        unformatted = re.findall(r"^([^\s:]+):\d+:\d+: error:", result.stderr, re.M)
        self.fail_with([f"clang-format-19 -i {path}" for path in sorted(set(unformatted))])


class Documentation(MetaTest):
    def headings(self, page):
        """Anchors as GitHub makes them."""
        titles = re.findall(r"^#+\s+(.*)$", re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S), re.M)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    def test_links_lead_somewhere(self):
        problems = []
        for page in files(".md"):
            for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
                if re.match(r"\w+:", target):
                    continue
                name, _, anchor = unquote(target).partition("#")
                path = (ROOT / page.parent / name).resolve() if name else ROOT / page
                if not path.exists() or not path.is_relative_to(ROOT):
                    problems.append(f"{page}: {target} does not exist")
                elif anchor and path.suffix == ".md" and anchor not in self.headings(path.relative_to(ROOT)):
                    problems.append(f"{page}: {target}: no such heading")
        self.fail_with(problems)

    def test_the_page_of_kernels_is_what_the_facts_say(self):
        self.assertEqual(read(Path(kernel_support.DOCUMENT)), kernel_support.render())

    def test_the_tables_of_costs_are_what_the_programs_recorded(self):
        page = read(tables.DOCUMENT.relative_to(ROOT))
        self.assertEqual(page, tables.render(page))

    def test_each_fuzzer_has_half_an_hour_of_cpu_time_behind_it(self):
        fuzzers = re.findall(r"^PLIMSOLL_FUZZER\((\w+)", (ROOT / "tests/fuzz/targets.inc").read_text(), re.M)
        rows = re.findall(r"^\| (\w+) \| ([\d.]+) \|", (ROOT / "docs/fuzzing.md").read_text(), re.M)
        self.assertEqual({name for name, minutes in rows if float(minutes) >= 30}, set(fuzzers))

    def test_the_metrics_page_is_what_the_program_prints(self):
        program = self.need(os.environ.get("PLIMSOLL_BINARY", "build/release/plimsoll"))
        result = subprocess.run([program, "metrics"], capture_output=True, text=True, timeout=60, check=True)
        self.assertEqual(read("docs/metrics.md"), result.stdout, "run: plimsoll metrics > docs/metrics.md")


class KernelTables(MetaTest):
    def test_the_call_table_is_one_kibibyte_of_read_only_data_on_both_architectures(self):
        """Compiled without -Wno-*, so a number that occurs twice (an overridden initialiser) is an error."""
        clang, objdump = self.need("clang-19"), self.need("llvm-objdump-19")
        source = """
            #include "syscalls.h"
            static const struct plimsoll_call calls[PLIMSOLL_SYSCALL_LIMIT] = {PLIMSOLL_SYSCALLS(%s)};
            __attribute__((section("socket"), used)) int look_up(const unsigned *number) {
                return *number < PLIMSOLL_SYSCALL_LIMIT ? calls[*number].call_class : CALL_NONE;
            }
        """
        for target, row in (("x86", "PLIMSOLL_SYSCALL_ROW_X86_64"), ("arm64", "PLIMSOLL_SYSCALL_ROW_ARM64")):
            with self.subTest(target), tempfile.TemporaryDirectory() as folder:
                built = f"{folder}/table.o"
                subprocess.run([clang, "-O2", "-target", "bpf", "-mcpu=v3", f"-D__TARGET_ARCH_{target}", "-Wall",
                                "-Wextra", "-Werror", f"-I{ROOT}/bpf/shared", "-x", "c", "-c", "-", "-o", built],
                               input=source % row, text=True, check=True)
                sections = subprocess.run([objdump, "-h", built], capture_output=True, text=True, check=True).stdout
                self.assertRegex(sections, r"\.rodata\s+00000400\b")


if __name__ == "__main__":
    unittest.main()
