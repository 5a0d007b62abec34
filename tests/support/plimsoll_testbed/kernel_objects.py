# SPDX-License-Identifier: Apache-2.0
"""The BPF programs, maps and links that a process holds, and whether the kernel still has them."""

import json
import os

from .shell import run

KINDS = ("prog", "map", "link")


def held_by(pid):
    """{"prog": ids, "map": ids, "link": ids} by the descriptors of the process; maps of its programs included."""
    held = {kind: set() for kind in KINDS}
    for fields in _fdinfos(pid):
        for kind in ("link", "map", "prog"):  # a link also names its program
            if kind + "_id" in fields:
                held[kind].add(int(fields[kind + "_id"]))
    for program in _show("prog"):
        if program["id"] in held["prog"]:
            held["map"].update(program.get("map_ids", []))
    return held


def programs_of(pid):
    """{name: id} of the programs that the process holds."""
    held = held_by(pid)["prog"]
    return {program.get("name", ""): program["id"] for program in _show("prog") if program["id"] in held}


def verified_instructions(pid):
    """{program: instructions that the verifier went through} of the programs that the process holds."""
    names = {program["id"]: program.get("name", "") for program in _show("prog")}
    found = {}
    for fields in _fdinfos(pid):
        if "verified_insns" in fields:
            found[names[int(fields["prog_id"])]] = int(fields["verified_insns"])
    return found


def still_there(held):
    """Those of them that the kernel has; ids are not used again."""
    return {kind: ids & {item["id"] for item in _show(kind)} for kind, ids in held.items() if ids}


def entries(held):
    """{name of a hash map: number of its entries}"""
    return {item["name"]: len(json.loads(run(["bpftool", "-j", "map", "dump", "id", item["id"]]).stdout))
            for item in _show("map") if item["id"] in held["map"] and item["type"] == "hash"}


def _fdinfos(pid):
    """What the kernel tells of each open file, as {key: text}."""
    directory = "/proc/%d/fdinfo" % pid
    for fd in os.listdir(directory):
        try:
            with open("%s/%s" % (directory, fd), encoding="utf-8") as lines:
                yield dict(line.split(":", 1) for line in lines if ":" in line)
        except FileNotFoundError:
            pass  # a file that it had open for a moment


def _show(kind):
    return json.loads(run(["bpftool", "-j", kind, "show"]).stdout)
