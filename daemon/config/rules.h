// SPDX-License-Identifier: Apache-2.0
// The lists of mappings in the configuration: rules of containers.include and containers.exclude, and the
// entries of containers.cgroups. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/values.h"

namespace plimsoll {

void read_include_rules(const Value& value, std::vector<ContainerRule>& out);
void read_exclude_rules(const Value& value, std::vector<ContainerRule>& out);
void read_cgroup_rules(const Value& value, std::vector<CgroupRule>& out);

/// The parts that a rule and an entry of containers.cgroups can have.
std::vector<std::string_view> known_rule_parts();
std::vector<std::string_view> known_cgroup_parts();

}  // namespace plimsoll
