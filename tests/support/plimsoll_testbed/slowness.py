# SPDX-License-Identifier: Apache-2.0
"""How many times slower than a usual machine this one is: 1, or what whoever emulates it says. Tests multiply by it what
they allow for a wake-up to take, and divide by it how much work must have been done. What is counted stays exact."""

import os

SLOWNESS = float(os.environ.get("PLIMSOLL_SLOWNESS", "1"))
