// SPDX-License-Identifier: Apache-2.0
// How large a page can become, whatever names and labels its containers have. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "exposition/snapshot.h"

namespace plimsoll {

/// Bytes of a page of text at most, for that many containers: several times what usual ones need.
constexpr std::size_t page_limit(std::uint32_t max_containers) {
    constexpr std::size_t kLeast = std::size_t{32} << 20, kEach = std::size_t{256} << 10;
    return std::max(kLeast, kEach * max_containers);
}

/// Takes the samples of the containers with the most text from the snapshot until what is left fits: one
/// with hostile names goes before any honest one does. Returns how many are no longer on the page.
std::size_t leave_out_largest(Snapshot& snapshot, std::size_t limit);

}  // namespace plimsoll
