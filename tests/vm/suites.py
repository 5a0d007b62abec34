# SPDX-License-Identifier: Apache-2.0
"""What a boot runs, and which tests it leaves out, with the reason."""

BOOT_LIMIT = 1800  # seconds, with all suites of every boot
FULL_BOOT_LIMIT = 2700
SUITE_LIMIT = 1000

# "bpf", or a file of tests below tests/; after a colon, a pattern of the tests to run.
COMMON = ["vm/test_systemd", "vm/test_unit", "bpf", "e2e/test_smoke", "e2e/test_conservation",
          "e2e/test_thread_states:runc", "e2e/test_seeding", "e2e/test_cpu", "e2e/test_processes", "e2e/test_frozen",
          "e2e/test_block"]
EVERY_BOOT = COMMON + ["e2e/test_dropin:runc|Disk|Groups|NoFiles"]
FULL = COMMON + ["e2e/test_dropin", "e2e/test_thread_states:podman", "e2e/test_thread_states:docker",
                 "e2e/test_lifecycle", "e2e/test_turnover", "e2e/test_dropin_processes", "e2e/test_dropin_network"]

# (pattern of the test's name, reason). Only what the emulator makes wrong belongs here.
LEFT_OUT = []


def chosen(full):
    return FULL if full else EVERY_BOOT


def boot_limit(full):
    return FULL_BOOT_LIMIT if full else BOOT_LIMIT
