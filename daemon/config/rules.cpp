// SPDX-License-Identifier: Apache-2.0
#include "config/rules.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "config/names.h"
#include "config/unknown_key.h"

namespace plimsoll {
namespace {

/// One part of an entry: its name and how it is read.
template <typename Entry>
struct Part {
    std::string_view name;
    void (*read)(const Value& value, Entry& out);
};

void read_labels(const Value& value, std::map<std::string, std::string>& out) {
    if (value.node.kind != Node::Kind::mapping)
        return value.refuse_it("a mapping of label names to globs");
    for (const Node& child : value.node.children) {
        const Value label{child, value.path + "." + child.key, value.problems};
        if (auto glob = read_text(label, kGlob))
            out.emplace(child.key, std::move(*glob));
    }
}

void read_runtime(const Value& value, std::optional<std::string>& out) {
    if (const auto runtime = read_name(value, kRuntimes))
        out = to_string(*runtime);
}

constexpr Part<ContainerRule> kRuleParts[] = {
    {"name", [](const Value& value, ContainerRule& rule) { read_text(value, kGlob, rule.name); }},
    {"image", [](const Value& value, ContainerRule& rule) { read_text(value, kGlob, rule.image); }},
    {"runtime", [](const Value& value, ContainerRule& rule) { read_runtime(value, rule.runtime); }},
    {"cgroup", [](const Value& value, ContainerRule& rule) { read_text(value, kPathGlob, rule.cgroup); }},
    {"label", [](const Value& value, ContainerRule& rule) { read_labels(value, rule.labels); }},
    {"connects_to",
     [](const Value& value, ContainerRule& rule) { read_text(value, kConnectionAddress, rule.connects_to); }},
};
/// What a container does later cannot take it off the page again.
constexpr std::span<const Part<ContainerRule>> kExcludeParts(kRuleParts, std::size(kRuleParts) - 1);

constexpr Part<CgroupRule> kCgroupParts[] = {
    {"path",
     [](const Value& value, CgroupRule& rule) { rule.path = read_text(value, kPathGlob).value_or(""); }},
    {"name", [](const Value& value, CgroupRule& rule) { read_text(value, kAnyText, rule.name); }},
};

template <typename Entry>
std::vector<std::string_view> names_of(std::span<const Part<Entry>> parts) {
    std::vector<std::string_view> names;
    for (const auto& part : parts)
        names.push_back(part.name);
    return names;
}

template <typename Entry>
Entry read_entry(const Value& item, std::span<const Part<Entry>> parts) {
    Entry entry;
    for (const Node& child : item.node.children) {
        const auto part = std::ranges::find(parts, child.key, &Part<Entry>::name);
        if (part == parts.end())
            refuse_unknown_key(child, item.path, names_of(parts), item.problems);
        else
            part->read({child, item.path + "." + child.key, item.problems}, entry);
    }
    return entry;
}

/// `is_complete` looks at the node, so that a part which is there but wrong is reported once only.
template <typename Entry>
void read_entries(const Value& value, std::span<const Part<Entry>> parts,
                  bool (*is_complete)(const Node& item), std::string_view needed, std::vector<Entry>& out) {
    out.clear();
    const std::string allowed = "a mapping of " + joined(names_of(parts));
    if (value.node.kind != Node::Kind::sequence)
        return value.refuse_it("a list, each " + allowed);
    for (const Value& item : read_items(value)) {
        if (item.node.kind != Node::Kind::mapping)
            item.refuse_it(allowed);
        else if (!is_complete(item.node))
            item.refuse(needed, allowed);
        else
            out.push_back(read_entry(item, parts));
    }
}

/// An empty `label` is no part: a rule with nothing else would match every container.
bool has_any_part(const Node& item) {
    return std::ranges::any_of(item.children, [](const Node& child) {
        return child.key != "label" || child.kind != Node::Kind::mapping || !child.children.empty();
    });
}

bool has_path(const Node& item) {
    return std::ranges::find(item.children, "path", &Node::key) != item.children.end();
}

}  // namespace

void read_include_rules(const Value& value, std::vector<ContainerRule>& out) {
    read_entries<ContainerRule>(value, kRuleParts, has_any_part, "a rule without any part", out);
}

void read_exclude_rules(const Value& value, std::vector<ContainerRule>& out) {
    read_entries<ContainerRule>(value, kExcludeParts, has_any_part, "a rule without any part", out);
}

void read_cgroup_rules(const Value& value, std::vector<CgroupRule>& out) {
    read_entries<CgroupRule>(value, kCgroupParts, has_path, "an entry without a path", out);
}

std::vector<std::string_view> known_rule_parts() {
    return names_of<ContainerRule>(kRuleParts);
}

std::vector<std::string_view> known_cgroup_parts() {
    return names_of<CgroupRule>(kCgroupParts);
}

}  // namespace plimsoll
