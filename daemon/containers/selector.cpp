// SPDX-License-Identifier: Apache-2.0
#include "containers/selector.h"

#include <algorithm>
#include <tuple>

#include "config/connection_address.h"
#include "containers/metadata_file.h"
#include "containers/path_grammar.h"

namespace plimsoll {
namespace {

std::optional<Glob> glob(const std::optional<std::string>& pattern, GlobKind kind = GlobKind::text) {
    return pattern ? std::optional(Glob(*pattern, kind)) : std::nullopt;
}

bool accepts(const std::optional<Glob>& glob, std::string_view text) {
    return !glob || glob->matches(text);
}

bool is_pod_container(const Container& container) {
    return container.runtime == Runtime::kubernetes || !container.pod_uid.empty() || !container.pod.empty();
}

/// One that nothing but its path tells of.
Container plain_container(std::string_view cgroup_path, const std::optional<std::string>& name) {
    Container container;
    container.cgroup = cgroup_path;
    container.name = name.value_or(std::string(cgroup_path.substr(cgroup_path.rfind('/') + 1)));
    return container;
}

/// Always shorter: a path that does not begin with a slash has no parent in the end.
std::string_view parent_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return path.substr(0, slash == std::string_view::npos ? 0 : slash);
}

/// "include[3]"
std::string rule_text(std::string_view list, std::size_t index) {
    return std::string(list) + "[" + std::to_string(index) + "]";
}

}  // namespace

Selector::Rule::Rule(const ContainerRule& rule)
    : name(glob(rule.name)),
      image(glob(rule.image)),
      runtime(glob(rule.runtime)),
      cgroup(glob(rule.cgroup, GlobKind::path)) {
    for (const auto& [key, pattern] : rule.labels) {
        labels.emplace_back(key, Glob(pattern, GlobKind::text));
    }
}

bool Selector::Rule::matches(const Container& container, std::span<const std::uint32_t> connections) const {
    if (target && std::ranges::find(connections, *target) == connections.end()) {
        return false;
    }
    const bool runtime_fits =
        accepts(runtime, to_string(container.runtime)) ||
        (is_pod_container(container) && accepts(runtime, to_string(Runtime::kubernetes)));
    return runtime_fits && accepts(name, container.name) && accepts(image, container.image) &&
           accepts(cgroup, container.cgroup) && std::ranges::all_of(labels, [&](const auto& label) {
               const auto found = container.labels.find(label.first);
               return found != container.labels.end() && label.second.matches(found->second);
           });
}

Selector::Selector(const Config::Containers& config, std::string passwd_file)
    : discover_(config.discover),
      include_(config.include.begin(), config.include.end()),
      exclude_(config.exclude.begin(), config.exclude.end()),
      metadata_(config.roots, std::move(passwd_file)) {
    const auto targets = connection_targets(config);
    for (std::size_t i = 0; i < include_.size(); ++i) {
        include_[i].target = target_number(config.include[i], targets);
    }
    for (const auto& rule : config.cgroups) {
        cgroups_.push_back({Glob(rule.path, GlobKind::path), rule.name});
    }
}

std::optional<Container> Selector::select(std::string_view cgroup_path,
                                          std::span<const std::uint32_t> connections) const {
    if (auto chosen = by_path_rule(cgroup_path)) {
        return chosen;
    }
    Finding finding = Finding::nothing;
    auto found = discover(cgroup_path, finding);
    if (!found && !connections.empty()) {
        found = plain_container(cgroup_path, std::nullopt);
    }
    const auto matches = [&](const Rule& rule) { return rule.matches(*found, connections); };
    if (!found || std::ranges::any_of(exclude_, matches)) {
        return std::nullopt;
    }
    if (!include_.empty()) {
        const auto rule = std::ranges::find_if(include_, matches);
        if (rule == include_.end()) {
            return std::nullopt;
        }
        found->rule = rule_text("include", static_cast<std::size_t>(rule - include_.begin()));
    }
    return found;
}

std::optional<Container> Selector::by_path_rule(std::string_view cgroup_path) const {
    for (std::size_t i = 0; i < cgroups_.size(); ++i) {
        if (cgroups_[i].path.matches(cgroup_path)) {
            Container container = plain_container(cgroup_path, cgroups_[i].name);
            container.rule = rule_text("cgroups", i);
            return container;
        }
    }
    return std::nullopt;
}

std::optional<std::string_view> Selector::container_around(std::string_view cgroup_path) const {
    for (auto path = cgroup_path; !path.empty(); path = parent_of(path)) {
        Finding finding = Finding::nothing;
        if (by_path_rule(path) || discover(path, finding)) {
            return path;
        }
    }
    return std::nullopt;
}

std::optional<Container> Selector::discover(std::string_view cgroup_path, Finding& finding) const {
    const auto match = match_path(cgroup_path);
    if (!match || !match->exact) {
        return std::nullopt;
    }
    Container container;
    finding = metadata_.describe(*match, cgroup_path, container);
    if (finding == Finding::helper || (match->candidate && finding == Finding::nothing) ||
        in_unnamed_container(cgroup_path, *match)) {
        return std::nullopt;
    }
    auto rule = discovering_rule(container);
    if (!rule) {
        return std::nullopt;
    }
    container.rule = std::move(*rule);
    return container;
}

/// A service of a systemd that runs inside a container which only the runtime's files reveal belongs to it.
bool Selector::in_unnamed_container(std::string_view cgroup_path, const PathMatch& match) const {
    if (match.runtime != Runtime::systemd) {
        return false;
    }
    for (auto outer = std::optional(match); outer;) {
        const auto parent = parent_of(cgroup_path.substr(0, outer->length));
        outer = match_path(parent);
        Container container;
        if (outer && outer->candidate &&
            metadata_.describe(*outer, parent.substr(0, outer->length), container) != Finding::nothing) {
            return true;
        }
    }
    return false;
}

bool Selector::listed(Runtime runtime) const {
    return std::ranges::find(discover_, runtime) != discover_.end();
}

std::optional<std::string> Selector::discovering_rule(const Container& container) const {
    if (listed(container.runtime)) {
        return "discover " + std::string(to_string(container.runtime));
    }
    if (is_pod_container(container) && listed(Runtime::kubernetes)) {
        return "discover " + std::string(to_string(Runtime::kubernetes));
    }
    return std::nullopt;
}

bool Selector::refresh(Container& container) const {
    if (version_of(container.sources) == container.sources_version) {
        return false;
    }
    Finding finding = Finding::nothing;
    const auto now =
        container.runtime == Runtime::cgroup ? std::nullopt : discover(container.cgroup, finding);
    if (!now || finding != Finding::container) {
        return false;
    }
    Container changed = *now;
    changed.rule = container.rule;
    const auto identity = [](const Container& c) {
        return std::tie(c.runtime, c.id, c.name, c.image, c.pod, c.pod_container, c.pod_namespace, c.pod_uid,
                        c.labels);
    };
    if (identity(changed) == identity(container)) {
        container.sources = std::move(changed.sources);
        container.sources_version = changed.sources_version;
        return false;
    }
    container = std::move(changed);
    return true;
}

}  // namespace plimsoll
