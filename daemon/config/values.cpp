// SPDX-License-Identifier: Apache-2.0
#include "config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <utility>

#include "config/connection_address.h"
#include "containers/glob.h"
#include "exposition/listen_address.h"

namespace plimsoll {
namespace {

/// Digits only, no sign, no leading zero (which some YAML versions read as octal).
std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || (text.size() > 1 && text[0] == '0'))
        return std::nullopt;
    return number;
}

std::string describe(const Node& node) {
    switch (node.kind) {
        case Node::Kind::null:
            return "no value";
        case Node::Kind::scalar:
            return (node.plain ? "" : "the quoted text ") + quoted(node.text);
        case Node::Kind::sequence:
            return "a list";
        case Node::Kind::mapping:
            return "a mapping";
        case Node::Kind::refused:
            return "";
    }
    return "";
}

}  // namespace

const TextRule kAnyText{[](std::string_view text) { return !text.empty(); }, "text that is not empty"};
const TextRule kGlob{[](std::string_view text) { return !text.empty() && valid_glob(text); },
                     "a glob: text with *, ?, [a-z] or [!a-z]"};
const TextRule kPathGlob{[](std::string_view text) {
                             return (text.starts_with('/') || text.starts_with('*')) && valid_glob(text);
                         },
                         "a glob over a cgroup path, beginning with / or *, with *, **, ?, [a-z] or [!a-z]"};
const TextRule kAbsolutePath{[](std::string_view text) { return text.starts_with('/'); }, "an absolute path"};
const TextRule kListenAddress{[](std::string_view text) { return parse_listen_address(text).has_value(); },
                              "host:port, [v6 address]:port or :port, port 0 to 65535"};
const TextRule kConnectionAddress{
    [](std::string_view text) { return parse_connection_address(text).has_value(); },
    "address:port or [v6 address]:port, no names, or *:port for any address, port 1 to 65535"};

void Value::refuse(std::string_view what, std::string_view allowed) const {
    if (node.kind != Node::Kind::refused)
        problems.push_back({node.at, fmt::format("{}: {}; allowed: {}", path, what, allowed)});
}

void Value::refuse_it(std::string_view allowed) const {
    refuse(describe(node), allowed);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    using std::chrono::nanoseconds;
    constexpr std::array<std::pair<std::string_view, nanoseconds>, 4> kUnits{{
        {"ms", std::chrono::milliseconds(1)},
        {"s", std::chrono::seconds(1)},
        {"m", std::chrono::minutes(1)},
        {"h", std::chrono::hours(1)},
    }};
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_whole_number(text.substr(0, digits));
    for (const auto& [unit, length] : kUnits)
        if (number && text.substr(digits) == unit &&
            *number <= static_cast<std::uint64_t>(nanoseconds::max() / length))
            return length * static_cast<std::int64_t>(*number);
    return std::nullopt;
}

void read_bool(const Value& value, bool& out) {
    const Node& node = value.node;
    if (node.kind == Node::Kind::scalar && node.plain && (node.text == "true" || node.text == "false"))
        out = node.text == "true";
    else
        value.refuse_it("true, false");
}

void read_count(const Value& value, unsigned& out, unsigned min, unsigned max) {
    const Node& node = value.node;
    const bool maybe = node.kind == Node::Kind::scalar && node.plain;
    const auto number = maybe ? parse_whole_number(node.text) : std::nullopt;
    if (number && *number >= min && *number <= max)
        out = static_cast<unsigned>(*number);
    else
        value.refuse_it(fmt::format("a whole number from {} to {}", min, max));
}

void read_duration(const Value& value, const DurationRange& range, std::chrono::nanoseconds& out) {
    const bool maybe = value.node.kind == Node::Kind::scalar;
    const auto duration = maybe ? parse_duration(value.node.text) : std::nullopt;
    if (duration && *duration >= range.min && *duration <= range.max)
        out = *duration;
    else
        value.refuse_it(fmt::format("{}, as a whole number with unit ms, s, m or h", range.text));
}

void read_durations(const Value& value, const DurationRange& range, std::size_t most,
                    std::vector<std::chrono::nanoseconds>& out) {
    const std::size_t count = value.node.children.size();
    if (value.node.kind != Node::Kind::sequence || count == 0 || count > most)
        return value.refuse(value.node.kind == Node::Kind::sequence ? fmt::format("a list of {}", count)
                                                                    : describe(value.node),
                            fmt::format("a list of 1 to {} durations", most));
    out.assign(count, range.min);
    const auto items = read_items(value);
    for (std::size_t i = 0; i < count; ++i) {
        read_duration(items[i], range, out[i]);
        if (std::ranges::find(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(i), out[i]) !=
            out.begin() + static_cast<std::ptrdiff_t>(i))
            items[i].refuse(describe(items[i].node) + " is already in this list", "each once");
    }
}

std::optional<std::string> read_text(const Value& value, const TextRule& rule) {
    if (value.node.kind == Node::Kind::scalar && rule.allows(value.node.text))
        return value.node.text;
    value.refuse_it(rule.allowed);
    return std::nullopt;
}

void read_text(const Value& value, const TextRule& rule, std::optional<std::string>& out) {
    if (auto text = read_text(value, rule))
        out = std::move(text);
}

void read_texts(const Value& value, const TextRule& rule, bool or_one, std::vector<std::string>& out) {
    out.clear();
    const auto append = [&](const Value& item) {
        if (auto text = read_text(item, rule))
            out.push_back(std::move(*text));
    };
    if (or_one && value.node.kind == Node::Kind::scalar)
        append(value);
    else if (value.node.kind == Node::Kind::sequence)
        std::ranges::for_each(read_items(value), append);
    else
        value.refuse_it(fmt::format("{}a list, each {}", or_one ? "one or " : "", rule.allowed));
}

void refuse_repeats(const Value& list) {
    std::set<std::string_view> seen;
    for (const Value& item : read_items(list))
        if (item.node.kind == Node::Kind::scalar && !seen.insert(item.node.text).second)
            item.refuse(quoted(item.node.text) + " is already in this list", "each once");
}

std::vector<Value> read_items(const Value& list) {
    std::vector<Value> items;
    for (const Node& child : list.node.children)
        items.push_back({child, fmt::format("{}[{}]", list.path, items.size()), list.problems});
    return items;
}

}  // namespace plimsoll
