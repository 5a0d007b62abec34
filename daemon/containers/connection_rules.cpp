// SPDX-License-Identifier: Apache-2.0
#include "containers/connection_rules.h"

#include <algorithm>

namespace plimsoll {

std::optional<Container> ConnectionRules::select(const FoundCgroup& found) {
    Known& known = cgroups_[found.id];
    known.parent_id = found.parent_id;
    known.path = found.path;
    return selector_.select(found.path, known.targets);
}

ConnectionRules::Answer ConnectionRules::on_connection(Registry& registry, const FoundConnection& connection,
                                                       std::uint64_t now_ns) {
    const auto found = cgroups_.find(connection.cgroup_id);
    if (found == cgroups_.end()) {
        if (!registry.knows(connection.cgroup_id)) {
            registry.death(connection.cgroup_id, connection.slot_hint, now_ns);
        }
        return Answer::unknown;
    }
    const FoundCgroup connecting{connection.cgroup_id, found->second.parent_id, found->second.path,
                                 connection.slot_hint};
    if (connecting.path == "/") {
        return Answer::root;
    }
    const auto around = selector_.container_around(connecting.path);
    if (!around && registry.knows(connecting.id)) {
        return Answer::considered;  // part of a container that is one by its own connections
    }
    const std::uint64_t id = climb(connecting.id, around.value_or(connecting.path));
    Known& container = cgroups_.at(id);
    if (std::ranges::find(container.targets, connection.target) == container.targets.end()) {
        container.targets.push_back(connection.target);
    }
    const FoundCgroup candidate{id, container.parent_id, container.path,
                                id == connecting.id ? connection.slot_hint : std::uint32_t{0}};
    if (registry.reconsider(candidate, now_ns)) {
        for (auto& inner : below(candidate.path)) {
            inner.slot_hint = inner.id == connecting.id ? connection.slot_hint : 0;
            registry.reconsider(inner, now_ns);
        }
    } else if (id != connecting.id && !registry.knows(connecting.id)) {
        registry.reconsider(connecting, now_ns);
    }
    return Answer::considered;
}

/// The cgroup of that path, which is `from` or one around it; `from` when its parents are not known.
std::uint64_t ConnectionRules::climb(std::uint64_t from_id, std::string_view to_path) const {
    for (auto here = cgroups_.find(from_id); here != cgroups_.end();
         here = cgroups_.find(here->second.parent_id)) {
        if (here->second.path == to_path) {
            return here->first;
        }
    }
    return from_id;
}

/// Parents before children.
std::vector<FoundCgroup> ConnectionRules::below(std::string_view path) const {
    const std::string prefix = std::string(path) + "/";
    std::vector<FoundCgroup> result;
    for (const auto& [id, known] : cgroups_) {
        if (known.path.starts_with(prefix)) {
            result.push_back({id, known.parent_id, known.path});
        }
    }
    std::ranges::sort(result, {}, &FoundCgroup::path);
    return result;
}

void ConnectionRules::prune(const std::function<bool(std::uint64_t cgroup_id)>& exists) {
    std::erase_if(cgroups_, [&](const auto& known) { return !exists(known.first); });
}

}  // namespace plimsoll
