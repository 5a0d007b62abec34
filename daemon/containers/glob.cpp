// SPDX-License-Identifier: Apache-2.0
#include "containers/glob.h"

#include <optional>

namespace plimsoll {
namespace {

constexpr std::size_t kMaxPattern = 4096;

struct ByteSet {
    std::bitset<256> bytes;
    std::size_t length = 0;  ///< of its text, with both brackets
    bool well_formed = true;
};

/// Reads the set that starts with '[' at the front of `text`; nothing when it is never closed.
std::optional<ByteSet> parse_set(std::string_view text) {
    ByteSet set;
    std::size_t i = 1;
    const bool negated = i < text.size() && (text[i] == '!' || text[i] == '^');
    i += negated ? 1 : 0;
    for (const std::size_t first = i; i < text.size() && (text[i] != ']' || i == first); ++i) {
        const auto low = static_cast<unsigned char>(text[i]);
        auto high = low;
        if (i + 2 < text.size() && text[i + 1] == '-' && text[i + 2] != ']') {
            high = static_cast<unsigned char>(text[i + 2]);
            i += 2;
        }
        set.well_formed = set.well_formed && low <= high;
        for (unsigned byte = low; byte <= high; ++byte) {
            set.bytes.set(byte);
        }
    }
    if (i >= text.size()) {
        return std::nullopt;
    }
    if (negated) {
        set.bytes.flip();
    }
    set.length = i + 1;
    return set;
}

}  // namespace

bool valid_glob(std::string_view pattern) {
    if (pattern.size() > kMaxPattern) {
        return false;
    }
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '[') {
            continue;
        }
        const auto set = parse_set(pattern.substr(i));
        if (!set || !set->well_formed) {
            return false;
        }
        i += set->length - 1;
    }
    return true;
}

Glob::Glob(std::string_view pattern, GlobKind kind) {
    const std::bitset<256> all = std::bitset<256>().set();
    std::bitset<256> component = all;
    if (kind == GlobKind::path) {
        component.reset('/');
    }
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const auto set = pattern[i] == '[' ? parse_set(pattern.substr(i)) : std::nullopt;
        if (set) {
            tokens_.push_back({set->bytes & component, false});
            i += set->length - 1;
        } else if (pattern[i] == '*' && i + 1 < pattern.size() && pattern[i + 1] == '*') {
            tokens_.push_back({all, true});
            ++i;
        } else if (pattern[i] == '*') {
            tokens_.push_back({component, true});
        } else if (pattern[i] == '?') {
            tokens_.push_back({component, false});
        } else {
            tokens_.push_back({std::bitset<256>().set(static_cast<unsigned char>(pattern[i])), false});
        }
    }
}

bool Glob::matches(std::string_view text) const {
    // All positions of the pattern that the text so far can have led to, advanced together byte by byte.
    std::vector<bool> now(tokens_.size() + 1), next(tokens_.size() + 1);
    const auto skip_repeats = [this](std::vector<bool>& positions) {
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            if (positions[i] && tokens_[i].repeats) {
                positions[i + 1] = true;
            }
        }
    };
    now[0] = true;
    skip_repeats(now);
    for (const char c : text) {
        next.assign(next.size(), false);
        bool alive = false;
        for (std::size_t i = 0; i < tokens_.size(); ++i) {
            if (now[i] && tokens_[i].bytes.test(static_cast<unsigned char>(c))) {
                next[tokens_[i].repeats ? i : i + 1] = true;
                alive = true;
            }
        }
        if (!alive) {
            return false;
        }
        skip_repeats(next);
        now.swap(next);
    }
    return now.back();
}

}  // namespace plimsoll
