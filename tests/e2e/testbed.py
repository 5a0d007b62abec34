# SPDX-License-Identifier: Apache-2.0
"""`from testbed import …` in any test here: finds tests/support, however the test is started."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

# pylint: disable=wrong-import-position
from plimsoll_testbed import *  # noqa: E402,F401,F403


class OnEveryRuntime:
    """Mixed into a test case: test_runc, test_docker, … call check(name)."""


for _name in RUNTIMES:  # noqa: F405
    setattr(OnEveryRuntime, "test_" + _name, lambda self, name=_name: self.check(name))
