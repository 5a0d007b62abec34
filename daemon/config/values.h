// SPDX-License-Identifier: Apache-2.0
// One value of the configuration from its node: a read_… function per type. Each sets its output or reports
// what is wrong and what is allowed, after which the output is of no use. Pure.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "config/yaml_tree.h"

namespace plimsoll {

/// A value in its place: what the read functions work on.
struct Value {
    const Node& node;
    std::string path;  ///< "containers.include[0].name"
    Problems& problems;

    /// Reports `path: what; allowed: …`.
    void refuse(std::string_view what, std::string_view allowed) const;
    /// The same about this value as it stands: `path: "text"; allowed: …`.
    void refuse_it(std::string_view allowed) const;
};

/// `100ms`, `1s`, `2m`, `1h`: a whole number and a unit.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

void read_bool(const Value& value, bool& out);
void read_count(const Value& value, unsigned& out, unsigned min, unsigned max);
struct DurationRange {
    std::chrono::nanoseconds min, max;
    std::string_view text;  ///< "0s to 24h"
};
void read_duration(const Value& value, const DurationRange& range, std::chrono::nanoseconds& out);
/// A list of 1 to `most` different durations.
void read_durations(const Value& value, const DurationRange& range, std::size_t most,
                    std::vector<std::chrono::nanoseconds>& out);

/// What a text may be: `allows` decides, `allowed` says it in words.
struct TextRule {
    bool (*allows)(std::string_view text);
    std::string_view allowed;
};
/// Not empty.
extern const TextRule kAnyText;
extern const TextRule kGlob;
/// A glob over cgroup paths, which begin with a slash.
extern const TextRule kPathGlob;
extern const TextRule kAbsolutePath;
extern const TextRule kListenAddress;
extern const TextRule kConnectionAddress;

/// The text of a scalar that follows the rule, otherwise a problem and nullopt.
std::optional<std::string> read_text(const Value& value, const TextRule& rule);
void read_text(const Value& value, const TextRule& rule, std::optional<std::string>& out);
/// A list of texts. `or_one`: one text may stand for a list of one.
void read_texts(const Value& value, const TextRule& rule, bool or_one, std::vector<std::string>& out);
/// A problem for each text of a list that is already further up in it.
void refuse_repeats(const Value& list);

/// The items of a list, with paths `list[0]`, `list[1]`, …; none when it is no list.
std::vector<Value> read_items(const Value& list);

/// A text out of the names of an enum.
template <typename Names, typename Enum = Names::value_type>
std::optional<Enum> read_name(const Value& value, const Names& names) {
    std::vector<std::string_view> words;
    for (const Enum candidate : names) {
        words.push_back(to_string(candidate));
        if (value.node.kind == Node::Kind::scalar && value.node.text == words.back())
            return candidate;
    }
    value.refuse_it(joined(words));
    return std::nullopt;
}

}  // namespace plimsoll
