// SPDX-License-Identifier: Apache-2.0
// The part of the registry that is about rules of selection that change.
#include <utility>

#include "containers/registry.h"

namespace plimsoll {

void Registry::reselect(const FoundCgroup& found, std::uint64_t now_ns) {
    const bool was_container = is_container(found.id);
    auto container = callbacks_.select(found);
    if (was_container && container) {
        relabel(owner_of(found.id), std::move(*container));
        return;
    }
    if (was_container) {
        discard(found.id, now_ns);
    }
    if (container || was_container || owner_of(found.id) != owner_of(found.parent_id)) {
        nodes_.erase(found.id);
        birth(found, now_ns);
        rebook_threads();
    }
}

/// Of the container that it is or is in; 0: none.
Handle Registry::owner_of(std::uint64_t cgroup_id) const {
    const auto node = nodes_.find(cgroup_id);
    return node == nodes_.end() ? 0 : node->second.owner;
}

void Registry::relabel(Handle handle, Container container) {
    const auto found = watched_.find(handle);
    if (found == watched_.end()) {
        return;  // it shares the overflow's labels
    }
    Watched& watched = found->second;
    RenderedLabels rendered = callbacks_.render(container);
    if (*rendered.labels == *watched.rendered.labels && rendered.info == watched.rendered.info) {
        return;  // whoever has been shown this revision still points to its strings
    }
    revision_++;
    watched.container = std::move(container);
    watched.rendered = std::move(rendered);
}

/// A container that is one no more, though its cgroup lives. What was in it is nobody's for now.
void Registry::discard(std::uint64_t cgroup_id, std::uint64_t now_ns) {
    const Handle owner = owner_of(cgroup_id);
    if (overflow_cgroups_.erase(cgroup_id) != 0) {
        removed_++;
        nodes_.erase(cgroup_id);
        return;
    }
    end(owner, now_ns);
    std::erase_if(nodes_, [&](const auto& node) { return node.second.owner == owner; });
}

}  // namespace plimsoll
