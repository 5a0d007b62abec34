// SPDX-License-Identifier: Apache-2.0
#include "config/unknown_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace plimsoll {
namespace {

constexpr std::size_t kLongestKey = 64;

/// Insertions, deletions and replacements that make one word out of the other (Levenshtein), one row at a
/// time.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string_view closest_word(std::string_view text, const std::vector<std::string_view>& words) {
    if (text.size() > kLongestKey)
        return {};
    std::string_view best;
    std::size_t best_distance =
        text.size() / 3 + 2;  // exclusive: one slip in a short word, more in a long one
    for (const std::string_view word : words) {
        const std::size_t distance = edit_distance(text, word);
        if (distance < best_distance && distance < word.size()) {
            best = word;
            best_distance = distance;
        }
    }
    return best;
}

void refuse_unknown_key(const Node& entry, std::string_view section,
                        const std::vector<std::string_view>& known, Problems& problems) {
    const std::string_view guess = closest_word(entry.key, known);
    const std::string where = section.empty() ? "" : fmt::format(" in {}", section);
    const std::string hint = guess.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", guess);
    problems.push_back({entry.key_at, fmt::format("unknown key {}{}{}; allowed: {}", quoted(entry.key), where,
                                                  hint, joined(known))});
}

}  // namespace plimsoll
