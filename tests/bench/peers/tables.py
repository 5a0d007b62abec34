# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/overhead.md that come out of results.json, which the programs here write with --record: run
this when only their form has changed."""

import json
import os
import platform
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "../../support"))

from plimsoll_testbed.shell import run  # noqa: E402

RESULTS = HERE / "results.json"
DOCUMENT = HERE.parents[2] / "docs/overhead.md"


def load():
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def versions(packages):
    return {package: run(["dpkg-query", "-W", "-f=${Version}", package]).stdout for package in sorted(set(packages))}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    return {"cpus": os.cpu_count(), "model": model, "release": platform.release()}


def record(section, figures):
    """Keeps what one run measured, in place of the run before, and writes the document's part anew."""
    known = load()
    known[section] = {"machine": machine(), **figures}
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    write()


def write():
    DOCUMENT.write_text(render(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")


def render(text):
    """The document with what lies between the marks as results.json has it."""
    for section, figures in load().items():
        begin, end = ("<!-- %s %s -->\n" % (mark, section) for mark in ("begin", "end"))
        pattern = re.compile("(%s).*?(%s)" % (re.escape(begin), re.escape(end)), re.S)
        text, found = pattern.subn(lambda match: match[1] + PARTS[section](figures) + match[2], text)
        assert found == 1, "%d places for %s in %s" % (found, section, DOCUMENT)
    return text


def table(head, rows):
    return "\n".join("| %s |" % " | ".join(map(str, row)) for row in [head, ["---"] * len(head), *rows]) + "\n"


def per_minute(figures):
    """Seconds of its processes, and of its programs in the kernel where it has some."""
    if figures is None:
        return "–"
    in_kernel = figures.get("kernel", 0)
    return "%.2f" % figures["cpu"] + (" + %.2f" % in_kernel if in_kernel else "")


def size(of):
    plain, sent = ("%.1f" % (of[what] / 1024) for what in ("page_bytes", "wire_bytes"))
    return plain if plain == sent else "%s (%s)" % (plain, sent)


def where(figures):
    return "{model}, {cpus} CPUs, Linux {release}".format(**figures["machine"])


def share(work, tool, what):
    told, charged = work["tools"][tool][what], work["charged"][what]
    return "–" if told is None else "%.0f %%" % (100 * told / charged)


def side_by_side(figures):
    parts = []
    for count, found in figures["containers"].items():
        parts.append("**%s containers**\n\n" % count + table(
            ["tool", "CPU s per minute, idle", "asked each second", "resident MiB", "an answer takes, ms",
             "KiB (packed)"],
            [[tool, per_minute(of.get("idle")), per_minute(of["asked"]), "%.1f" % of["resident_mib"],
              "%.1f" % (of["answer_seconds"] * 1e3), size(of)] for tool, of in found["costs"].items()]))
        work = found["work"]
        parts.append(table(
            ["of one container's work", "CPU time of one process", "of 400 that live 5 ms", "processes told of",
             "bytes that one process wrote", "that 100 wrote, one write each"],
            [["by the cgroup's files", "%.2f s" % work["cpu_long"]["charged"]["cpu_seconds"],
              "%.2f s" % work["cpu_short"]["charged"]["cpu_seconds"],
              "%d + 2" % json.loads(work["cpu_short"]["said"])["count"],  # the shell's: itself and touch
              *("%.0f MiB" % (work[name]["charged"]["written_bytes"] / 2**20)
                for name in ("written_long", "written_short"))]]
            + [[tool, share(work["cpu_long"], tool, "cpu_seconds"), share(work["cpu_short"], tool, "cpu_seconds"),
                "–" if told["processes"] is None else told["processes"],
                share(work["written_long"], tool, "written_bytes"), share(work["written_short"], tool, "written_bytes")]
               for tool, told in work["cpu_short"]["tools"].items()]))
    packages = ", ".join("%s %s" % item for item in figures["versions"].items())
    return "\n".join(parts) + "\nFrom one run, %s: %s.\n" % (where(figures), packages)


def cost_curve(figures):
    rows = []
    for count, one in figures["containers"].items():
        cpu, wall = one["cpu_seconds"], one["wall_seconds"]
        rows.append(["{:,}".format(int(count)), "%.1f" % (cpu["median"] * 1e3),
                     "%.0f" % (cpu["median"] * 1e6 / int(count)),
                     "%.1f" % (wall["median"] * 1e3), "%.1f" % (wall["least"] * 1e3),
                     "%.1f" % (wall["least"] / one["copy_seconds"]), "{:,.0f}".format(one["page_bytes"] / 1024),
                     "%.1f" % (one["page_bytes"] / 1024 / int(count)), "{:,.0f}".format(one["packed_bytes"] / 1024),
                     "%.1f" % (one["resident_bytes"] / 2**20)])
    powers = ", ".join("%s %.2f" % item for item in figures["powers"].items())
    return table(["containers", "CPU ms per scrape", "µs per container", "wall ms", "fastest", "times a copy",
                  "page, KiB", "per container", "packed", "resident MiB"], rows) + (
        "\nThe power of the number of containers that each grows with beyond what one container takes, from 100 on: %s. "
        "From one run with %s open files allowed, %s.\n"
        % (powers, "{:,}".format(figures["open_files"]), where(figures)))


PARTS = {"cost_curve": cost_curve, "side_by_side": side_by_side}


if __name__ == "__main__":
    write()
