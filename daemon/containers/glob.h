// SPDX-License-Identifier: Apache-2.0
// Glob patterns of container rules. Pure; immutable after construction, so any thread may match.
// `*` any bytes, `?` one byte, `[a-z]` one byte of a set, `[!a-z]` one byte outside it. There is no escape
// character, because systemd's cgroup names are full of backslashes: quote a special character as a set,
// `[*]`.
#pragma once

#include <bitset>
#include <string_view>
#include <vector>

namespace plimsoll {

enum class GlobKind {
    text,  ///< every wildcard matches every byte
    path,  ///< `*`, `?` and sets never match '/'; `**` does
};

/// False for what can only be a slip: an unclosed or empty set, a range that runs backwards, more than 4096
/// bytes.
bool valid_glob(std::string_view pattern);

class Glob {
  public:
    /// A malformed pattern is taken as far as it makes sense; an unclosed set stands for a plain '['.
    Glob(std::string_view pattern, GlobKind kind);

    /// True when the whole text matches. Takes time proportional to pattern length times text length,
    /// whatever they say.
    bool matches(std::string_view text) const;

  private:
    struct Token {
        std::bitset<256> bytes;
        bool repeats;  ///< any number of `bytes`, instead of exactly one
    };
    std::vector<Token> tokens_;
};

}  // namespace plimsoll
