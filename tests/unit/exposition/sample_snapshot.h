// SPDX-License-Identifier: Apache-2.0
// A snapshot with one of everything, and the pages it must give.
#pragma once

#include <string>

#include "exposition/snapshot.h"

namespace plimsoll::testing {

Snapshot sample_snapshot();
std::string golden_text();
std::string golden_openmetrics();

}  // namespace plimsoll::testing
