// SPDX-License-Identifier: Apache-2.0
// What a hash by bcrypt looks like. Pure; no message repeats the hash.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll {

/// Each step doubles the time of a check; the last one takes seconds, during which the web server cannot
/// stop.
inline constexpr int kLeastBcryptCost = 4;
inline constexpr int kMostBcryptCost = 16;
/// Digits after the salt.
inline constexpr std::size_t kBcryptDigest = 31;

inline constexpr std::string_view kBcryptHash =
    "$2a$, $2b$ or $2y$, a cost from 04 to 16, $ and 53 characters, as `htpasswd -nB NAME` prints";

/// Why the text is none; empty when it is one.
std::string refuse_bcrypt_hash(std::string_view text);

}  // namespace plimsoll
