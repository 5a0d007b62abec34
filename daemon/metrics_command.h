// SPDX-License-Identifier: Apache-2.0
// `plimsoll metrics`: every family that the agent can export, as Markdown. docs/metrics.md is its output.
#pragma once

#include <ostream>

namespace plimsoll {

void print_catalogue(std::ostream& out);

}  // namespace plimsoll
