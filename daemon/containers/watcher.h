// SPDX-License-Identifier: Apache-2.0
// Keeps the registry true to the cgroup tree: seeds it, follows the kernel's events, and now and then walks
// the tree as a safety net whose corrections are counted. Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "containers/cgroup_tree.h"
#include "containers/registry.h"
#include "core/error.h"
#include "shared/events.h"

namespace plimsoll {

class Watcher {
  public:
    Watcher(Registry& registry, SlotMap& slots, CgroupLayout layout)
        : registry_(registry), slots_(slots), layout_(std::move(layout)) {}

    /// Finds what exists. Newborn cgroups must have provisional slots by now, so that none slips through
    /// between.
    Result<void> seed(std::uint64_t now_ns);

    /// A cgroup_birth or cgroup_death record, checked for its size by the caller.
    void on_birth(const cgroup_event& event, std::uint64_t now_ns);
    void on_death(const cgroup_event& event, std::uint64_t now_ns);

    /// Called again and again during what takes long on a host with many cgroups; it may hear events.
    using Pause = std::function<void()>;
    /// First half of the safety net: walks the tree. Drain the events before the second half, which compares:
    /// what is still unknown then, or known but gone, no event told.
    Result<void> begin_resync(std::uint64_t now_ns, const Pause& pause = {});
    void finish_resync(std::uint64_t now_ns, const Pause& pause = {});
    /// The rules of selection have changed: asks them again about all cgroups.
    Result<void> reselect(std::uint64_t now_ns);
    [[nodiscard]] std::uint64_t corrections() const { return corrections_; }
    /// Cgroups that exist and could not be looked at when the tree was walked last.
    [[nodiscard]] std::size_t unseen() const { return unseen_; }

  private:
    struct Found {
        std::uint64_t parent_id;
        std::string path;
    };
    struct Tree {
        std::vector<std::pair<std::uint64_t, Found>> cgroups;  ///< parents before children
        bool whole = false;  ///< false: out of descriptors, or too deep; what is missing may still exist
    };

    Result<Tree> walk_tree(const Pause& pause = {});
    Result<Tree> look_at_tree(const Pause& pause);
    void reclaim_slots(std::uint64_t now_ns);
    void end_missing(const std::unordered_set<std::uint64_t>& present, std::uint64_t now_ns,
                     const Pause& pause);
    [[nodiscard]] std::string full_path(const cgroup_event& event) const;

    Registry& registry_;
    SlotMap& slots_;
    CgroupLayout layout_;
    Tree walked_;
    std::uint64_t walk_began_ns_ = 0;
    std::set<std::pair<std::uint32_t, std::uint64_t>> suspects_;  ///< slots and the cgroups that took them
    std::uint64_t corrections_ = 0;
    std::size_t unseen_ = 0;
};

}  // namespace plimsoll
