// SPDX-License-Identifier: Apache-2.0
// The agent's own families, collected from its prometheus-cpp registry, in the same two text formats (the
// library's serializer knows only one, and does not escape HELP). Pure.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <string>

#include "exposition/family_header.h"

namespace plimsoll {

/// Appends the family and returns how many series it wrote; nothing for a family without metrics.
std::size_t append_self_family(std::string& out, const prometheus::MetricFamily& family, TextFormat format);

}  // namespace plimsoll
