# SPDX-License-Identifier: Apache-2.0
"""What a boot runs, and which tests it leaves out, with the reason."""

BOOT_LIMIT = 900  # seconds, with all suites
SUITE_LIMIT = 300  # seconds

# "bpf", or a file of tests below tests/.
EVERY_BOOT = ["bpf", "e2e/test_smoke", "e2e/test_conservation", "e2e/test_thread_states", "e2e/test_seeding",
              "e2e/test_cpu", "e2e/test_processes", "e2e/test_lifecycle", "e2e/test_frozen",
              "e2e/test_dropin_processes"]
FULL = []

# (pattern of the test's name, reason). Only what the emulator makes wrong belongs here.
LEFT_OUT = []


def chosen(full):
    return EVERY_BOOT + (FULL if full else [])
