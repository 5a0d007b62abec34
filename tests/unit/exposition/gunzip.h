// SPDX-License-Identifier: Apache-2.0
// Unpacks with another library than the one that packs.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll::testing {

/// The text of a gzip stream, at most `limit` bytes of it. Fails the test if it is not one whole stream.
std::string gunzip(std::string_view compressed, std::size_t limit);

}  // namespace plimsoll::testing
