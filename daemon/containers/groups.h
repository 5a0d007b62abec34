// SPDX-License-Identifier: Apache-2.0
// The cgroups around the containers that cAdvisor shows as well: the root, slices and Kubernetes pods. They
// have no slots: only what the kernel's files tell is known of them. Owned by the daemon, used by the loop
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "containers/registry.h"

namespace plimsoll {

struct Group {
    Handle handle = 0;
    std::string cgroup;
    std::uint64_t cgroup_id = 0;
    std::shared_ptr<const std::string> labels;
};

class Groups {
  public:
    struct Callbacks {
        std::function<std::optional<std::uint64_t>(const std::string& path)> id_of;
        std::function<RenderedLabels(const Container&)> render;
        std::function<void(Handle)> forget;  ///< a group is gone, or was made anew
    };
    explicit Groups(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

    /// Finds the groups of the live ones among `shown`.
    void update(std::span<const Watched* const> shown);

    /// In the order of their paths, the root first.
    [[nodiscard]] const std::vector<Group>& all() const { return groups_; }
    /// The index in all() of the container's pod.
    [[nodiscard]] std::optional<std::size_t> pod_of(const Container& container) const;

  private:
    std::map<std::string, Container> wanted(std::span<const Watched* const> shown) const;

    Callbacks callbacks_;
    std::vector<Group> groups_;
    Handle next_handle_ = Handle{1} << 63U;  // never one of a container
};

}  // namespace plimsoll
