// SPDX-License-Identifier: Apache-2.0
// One container on the start page: its cells and their bars. Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "exposition/overview.h"

namespace plimsoll {

/// What full bars mean.
struct BarScales {
    double cores = 1;         ///< of CPU and wait
    double memory_bytes = 0;  ///< of containers without a limit; 0: not known
};

/// States that have one colour, and the class of the style sheet that has it.
struct StateGroup {
    std::string_view css_class;
    std::string_view states;  ///< names between spaces
};
inline constexpr std::array<StateGroup, 7> kStateGroups{{{"running", " running "},
                                                         {"runnable", " runnable "},
                                                         {"storage", " disk io_uring fault "},
                                                         {"futex", " futex "},
                                                         {"peers", " poll socket unix pipe "},
                                                         {"idle", " sleep child "},
                                                         {"odd", " blocked stopped other "}}};

void append_row(std::string& out, const ContainerRow& row, const BarScales& scales);

}  // namespace plimsoll
