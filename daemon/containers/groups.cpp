// SPDX-License-Identifier: Apache-2.0
#include "containers/groups.h"

#include <algorithm>
#include <set>

namespace plimsoll {
namespace {

std::string parent_of(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos || slash == 0 ? "/" : std::string(path.substr(0, slash));
}

/// Whether the cgroup is the container's pod and not just what happens to be around it: its name has the
/// pod's uid, as it is or with underscores.
bool is_pod(std::string_view path, const Container& container) {
    std::string uid = container.pod_uid;
    const bool plain = !uid.empty() && path.find(uid) != std::string_view::npos;
    std::ranges::replace(uid, '-', '_');
    return plain || (!uid.empty() && path.find(uid) != std::string_view::npos);
}

/// What a pod's cgroup is called beside its path, as one of its containers knows it.
Container pod_identity(const Container& container) {
    Container pod;
    pod.pod = container.pod;
    pod.pod_namespace = container.pod_namespace;
    pod.pod_uid = container.pod_uid;
    return pod;
}

/// Groups are in the order of their paths.
const Group* find(std::span<const Group> groups, std::string_view path) {
    const auto found = std::ranges::lower_bound(
        groups, path, {}, [](const Group& group) { return std::string_view(group.cgroup); });
    return found == groups.end() || found->cgroup != path ? nullptr : &*found;
}

}  // namespace

std::map<std::string, Container> Groups::wanted(std::span<const Watched* const> shown) const {
    std::map<std::string, Container> found;
    found["/"] = {};
    std::set<std::string_view> containers;
    for (const auto* watched : shown) {
        if (watched->ended_ns || watched->cgroup_id == 0) {
            continue;
        }
        const Container& container = watched->container;
        containers.insert(container.cgroup);
        std::string path = parent_of(container.cgroup);
        if (is_pod(path, container) && (!container.pod.empty() || !found.contains(path))) {
            found[path] = pod_identity(container);
        }
        for (; path != "/"; path = parent_of(path)) {
            if (path.ends_with(".slice")) {
                found.try_emplace(path);
            }
        }
    }
    std::erase_if(found, [&](const auto& entry) { return containers.contains(entry.first); });
    for (auto& [path, identity] : found) {
        identity.cgroup = path;
    }
    return found;
}

void Groups::update(std::span<const Watched* const> shown) {
    std::vector<Group> now;
    for (const auto& [path, identity] : wanted(shown)) {
        const auto id = callbacks_.id_of(path);
        if (!id) {
            continue;  // gone since
        }
        Group group{0, path, *id, callbacks_.render(identity).labels};
        const Group* known = find(groups_, path);
        const bool same = known != nullptr && known->cgroup_id == *id;
        group.handle = same ? known->handle : next_handle_++;
        now.push_back(std::move(group));
    }
    for (const Group& old : groups_) {
        const Group* still = find(now, old.cgroup);
        if (still == nullptr || still->handle != old.handle) {
            callbacks_.forget(old.handle);
        }
    }
    groups_ = std::move(now);
}

std::optional<std::size_t> Groups::pod_of(const Container& container) const {
    const std::string parent = parent_of(container.cgroup);
    if (!is_pod(parent, container)) {
        return std::nullopt;
    }
    const Group* found = find(groups_, parent);
    return found == nullptr ? std::nullopt : std::optional<std::size_t>(found - groups_.data());
}

}  // namespace plimsoll
