// SPDX-License-Identifier: Apache-2.0
// The lines that open a family on the page, in both text formats. Pure.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll {

enum class TextFormat {
    prometheus,   ///< text exposition format 0.0.4
    openmetrics,  ///< OpenMetrics 1.0.0
};

enum class FamilyType { counter, gauge, histogram, summary, untyped };

/// Appends HELP, TYPE and (OpenMetrics) UNIT, escaped as each format demands. OpenMetrics names a counter's
/// family without `_total`; a counter whose name has no `_total` it calls unknown. HELP is left out when
/// empty, UNIT when the family's name does not end in it.
void append_family_header(std::string& out, TextFormat format, std::string_view name, FamilyType type,
                          std::string_view unit, std::string_view help);

}  // namespace plimsoll
