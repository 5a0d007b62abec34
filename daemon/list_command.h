// SPDX-License-Identifier: Apache-2.0
// `plimsoll list`: the containers that the agent would watch, as a table or as JSON. Needs neither BPF nor
// the agent.
#pragma once

#include <ostream>
#include <span>

#include "config/config.h"

namespace plimsoll {

/// Returns the exit code: 0, or 1 when this host has no cgroup hierarchy to look at.
int run_list(const Config& config, bool json, std::ostream& out, std::ostream& errors);

/// What the table says is harmless to a terminal and the JSON is valid, whatever the names contain.
void print_containers(std::span<const Container> containers, bool json, std::ostream& out);

}  // namespace plimsoll
