# SPDX-License-Identifier: Apache-2.0
"""The boots, what each runs, and which tests it leaves out, with the reason."""

# {name: (kernel, words for its command line)}
BOOTS = {"6.1": ("6.1", ""), "6.12": ("6.12", ""),
         "6.1-v1": ("6.1", "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1")}
IN_TURN = ("6.1", "6.12")  # every run has one of them

BOOT_LIMIT = 2400  # seconds, with all suites of every boot
FULL_BOOT_LIMIT = 10800
SUITE_LIMIT = 2400

# Of the kernel programs' tests, a few of each program: all of them take half an hour in emulation.
ESSENTIAL = ("two containers", "connected and ended", "whole life", "a process that moves has", "storm",
             "before the start are told apart", "are gone from the kernel", "chose its own address", "unix sockets")
# "bpf", or a file of tests below tests/; after a colon, a pattern of the tests to run.
EVERY_BOOT = ["e2e/test_families", "e2e/test_verifier", "vm/test_unit", "vm/test_systemd:Machine|Service|Names|crun",
              "e2e/test_seeding:BeforeTheAgent", "e2e/test_times", "e2e/test_frozen", "e2e/test_conservation:two_containers_is",
              "e2e/test_block:what_others_write_back",
              "bpf:" + "|".join(ESSENTIAL)]
# Not e2e/test_smoothing, which is about tenths of a second, nor what needs Prometheus, Docker or a browser in the guest.
FULL = ["e2e/test_families", "vm/test_unit", "vm/test_systemd", "e2e/test_verifier", "bpf", "e2e/test_smoke",
        "e2e/test_thread_states", "e2e/test_seeding", "e2e/test_cpu", "e2e/test_processes", "e2e/test_frozen",
        "e2e/test_block", "e2e/test_conservation", "e2e/test_dropin", "e2e/test_lifecycle", "e2e/test_turnover",
        "e2e/test_dropin_processes", "e2e/test_dropin_network", "e2e/test_rest", "e2e/test_host_network", "e2e/test_sockets",
        "e2e/test_open_connections", "e2e/test_servers", "e2e/test_peers", "e2e/test_peers_many", "e2e/test_io",
        "e2e/test_times", "e2e/test_reload", "e2e/test_privileges", "e2e/test_connects_to", "e2e/test_switched_off",
        "e2e/test_commands:Check|Help|List|page_has", "faults/test_capabilities:service", "faults/test_host_files",
        "faults/test_bombs:ForkBomb|produced", "faults/test_crowds", "faults/test_hostile_names", "faults/test_memory",
        "faults/test_streams", "faults/test_vanishing"]

# (pattern of the test's name, reason). Only what the emulator makes wrong belongs here.
LEFT_OUT = []


def chosen(full):
    return FULL if full else EVERY_BOOT


def boot_limit(full):
    return FULL_BOOT_LIMIT if full else BOOT_LIMIT
