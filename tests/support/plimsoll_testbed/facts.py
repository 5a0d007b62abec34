# SPDX-License-Identifier: Apache-2.0
"""What tests find out about the kernel that they run on, for docs/kernel-support.md: lines of JSON in the file that
PLIMSOLL_FACTS names, if it does; and what was found out before."""

import json
import os

from .cgroup import hierarchies

# Probes that cannot start here, which the log says as an error: sockets know their cgroup of v2 only.
CANNOT_START = set() if "" in hierarchies() else {"traffic"}
DIRECTORY = os.path.realpath(os.path.join(os.path.dirname(__file__), "../kernels"))


def note(section, key, value):
    path = os.environ.get("PLIMSOLL_FACTS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps([section, key, value]) + "\n")


def place():
    """The kernel's version and how its cgroups are, as the files of facts are named: 6.1-v2, 6.18-hybrid."""
    found = hierarchies()
    kind = "v2" if set(found) == {""} else "hybrid" if "" in found else "v1"
    return "%s-%s" % (".".join(os.uname().release.split(".")[:2]), kind)


def kernel_facts():
    """{section: {key: value}} of this place; nothing when nobody was here before."""
    try:
        with open("%s/%s.json" % (DIRECTORY, place()), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}
