// SPDX-License-Identifier: Apache-2.0
#include "containers/watcher.h"

#include <string>

namespace plimsoll {

namespace {

constexpr std::size_t kCgroupsPerPause = 256;

void pause_now_and_then(const Watcher::Pause& pause, std::size_t done) {
    if (pause && done % kCgroupsPerPause == 0) {
        pause();
    }
}

}  // namespace

/// What could not be opened for a moment (no descriptor, no memory) is there at the next look, mostly.
Result<Watcher::Tree> Watcher::walk_tree(const Pause& pause) {
    constexpr int kLooks = 3;
    Result<Tree> tree;
    for (int look = 0; look < kLooks && tree && !tree->whole; look++) {
        tree = look_at_tree(pause);
    }
    return tree;
}

Result<Watcher::Tree> Watcher::look_at_tree(const Pause& pause) {
    Tree tree;
    std::unordered_map<std::string, std::uint64_t> ids;
    auto walked = walk(layout_, [&](std::string_view path, std::uint64_t id) {
        const auto slash = path.rfind('/');
        const std::string parent(slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash));
        const auto found = ids.find(parent);
        ids.emplace(path, id);
        tree.cgroups.emplace_back(
            id, Found{found == ids.end() || path == "/" ? 0 : found->second, std::string(path)});
        pause_now_and_then(pause, tree.cgroups.size());
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    tree.whole = walked->skipped == 0;
    unseen_ = walked->skipped;
    return tree;
}

Result<void> Watcher::seed(std::uint64_t now_ns) {
    auto tree = walk_tree();
    if (!tree) {
        return std::unexpected(tree.error());
    }
    for (auto& [id, found] : tree->cgroups) {
        registry_.birth({id, found.parent_id, std::move(found.path)}, now_ns);
    }
    return {};
}

/// The tracepoint cuts paths at its limit; a longer one is asked for by the directory's id while it exists.
std::string Watcher::full_path(const cgroup_event& event) const {
    const std::string path(event.path, event.path_size);
    if (event.path_size < EVENT_PATH_MAX - 1) {
        return path;
    }
    return path_of(layout_, event.header.cgroup_id).value_or(path);
}

void Watcher::on_birth(const cgroup_event& event, std::uint64_t now_ns) {
    registry_.birth(
        {event.header.cgroup_id, event.parent_id, full_path(event), event.header.slot, event.header.ts_ns},
        now_ns);
}

void Watcher::on_death(const cgroup_event& event, std::uint64_t now_ns) {
    registry_.death(event.header.cgroup_id, event.header.slot, now_ns);
}

Result<void> Watcher::begin_resync(std::uint64_t now_ns, const Pause& pause) {
    auto tree = look_at_tree(pause);
    if (!tree) {
        return std::unexpected(tree.error());
    }
    walked_ = std::move(*tree);
    walk_began_ns_ = now_ns;
    return {};
}

Result<void> Watcher::reselect(std::uint64_t now_ns) {
    auto tree = walk_tree();
    if (!tree) {
        return std::unexpected(tree.error());
    }
    for (auto& [id, found] : tree->cgroups) {
        registry_.reselect({id, found.parent_id, std::move(found.path)}, now_ns);
    }
    return {};
}

/// Events that are heard in a pause are about what is younger than the walk, or make what is left to do less.
void Watcher::finish_resync(std::uint64_t now_ns, const Pause& pause) {
    std::unordered_set<std::uint64_t> present;
    for (auto& [id, found] : walked_.cgroups) {
        present.insert(id);
        pause_now_and_then(pause, present.size());
        if (registry_.knows(id)) {
            registry_.promote({id, found.parent_id, std::move(found.path)}, now_ns);
            continue;
        }
        if (path_of(layout_, id) != found.path) {
            continue;  // gone since the walk
        }
        const bool had_slot = slots_.find(id).has_value();
        if (registry_.birth({id, found.parent_id, std::move(found.path)}, now_ns) || had_slot) {
            corrections_++;
        }
    }
    if (walked_.whole) {
        end_missing(present, now_ns, pause);
    }
    reclaim_slots(now_ns);
    walked_ = {};
}

void Watcher::end_missing(const std::unordered_set<std::uint64_t>& present, std::uint64_t now_ns,
                          const Pause& pause) {
    std::size_t done = 0;
    for (const auto id : registry_.known_cgroups()) {
        pause_now_and_then(pause, ++done);
        if (!present.contains(id) && registry_.knows(id) && registry_.born_ns(id) < walk_began_ns_) {
            registry_.death(id, 0, now_ns);
            corrections_++;
        }
    }
    for (const auto id : slots_.cgroup_ids()) {
        pause_now_and_then(pause, ++done);
        const auto entry = slots_.find(id);
        if (entry && !present.contains(id) && !registry_.knows(id) && !path_of(layout_, id)) {
            registry_.death(id, entry->slot, now_ns);
            corrections_++;
        }
    }
}

/// A cgroup that came and went with both its events lost has left no entry, only the mark on the slot it
/// took. Its events can also be on their way: only what has not changed since the last time is reclaimed.
void Watcher::reclaim_slots(std::uint64_t now_ns) {
    decltype(suspects_) suspects;
    for (const auto& taken : slots_.taken()) {
        const auto [slot, id] = taken;
        if (!registry_.is_offered(slot) || slots_.find(id)) {
            continue;
        }
        if (suspects_.contains(taken)) {
            registry_.death(id, slot, now_ns);
            corrections_++;
        } else {
            suspects.insert(taken);
        }
    }
    suspects_ = std::move(suspects);
}

}  // namespace plimsoll
