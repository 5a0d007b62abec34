// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "containers/cgroup_tree.h"
#include "files/mounts.h"
#include "files/parse.h"

namespace plimsoll {
namespace {

constexpr std::string_view kControllers[] = {"cpu",     "cpuacct", "cpuset",  "memory",     "blkio",
                                             "devices", "freezer", "net_cls", "perf_event", "net_prio",
                                             "hugetlb", "pids",    "rdma",    "misc"};
/// Those that identify containers on v1, best first: runtimes put containers there even without any limit.
constexpr std::string_view kIdentifying[] = {"memory", "cpuacct", "cpu", "pids", "devices", "freezer"};

struct Found {
    CgroupHierarchy hierarchy;
    bool whole = false;  ///< the hierarchy's root is what is mounted, not a directory of it
};

std::optional<Found> parse_line(std::string_view line) {
    const auto mount = parse_mount(line);
    if (!mount || (mount->type != "cgroup" && mount->type != "cgroup2")) {
        return std::nullopt;
    }
    Found found{{mount->point, mount->type == "cgroup2", {}}, mount->root == "/"};
    if (found.hierarchy.v2) {
        return found;
    }
    std::istringstream list(mount->options);
    for (std::string option; std::getline(list, option, ',');) {
        if (option.starts_with("name=") ||
            std::ranges::find(kControllers, option) != std::end(kControllers)) {
            found.hierarchy.controllers.push_back(std::move(option));
        }
    }
    return found;
}

/// One entry for each hierarchy, from the mount that shows most of it.
std::vector<CgroupHierarchy> hierarchies(std::string_view mountinfo) {
    std::vector<Found> found;
    while (const auto line = take_line(mountinfo)) {
        auto mount = parse_line(*line);
        if (!mount) {
            continue;
        }
        const auto same = std::ranges::find_if(found, [&](const Found& other) {
            return other.hierarchy.v2 == mount->hierarchy.v2 &&
                   other.hierarchy.controllers == mount->hierarchy.controllers;
        });
        if (same == found.end()) {
            found.push_back(std::move(*mount));
        } else if (mount->whole && !same->whole) {
            *same = std::move(*mount);
        }
    }
    std::vector<CgroupHierarchy> all;
    for (auto& mount : found) {
        all.push_back(std::move(mount.hierarchy));
    }
    return all;
}

}  // namespace

const CgroupHierarchy* CgroupLayout::with_controller(std::string_view name) const {
    const auto found = std::ranges::find_if(all, [&](const CgroupHierarchy& hierarchy) {
        return std::ranges::find(hierarchy.controllers, name) != hierarchy.controllers.end();
    });
    return found == all.end() ? nullptr : &*found;
}

Result<CgroupLayout> detect_layout(const std::string& proc_root) {
    const std::string path = proc_root + "/self/mountinfo";
    std::ifstream mountinfo(path);
    if (!mountinfo) {
        return fail("cannot read " + path +
                    ", which tells where the cgroup hierarchies are mounted; mount /proc");
    }
    const std::string text{std::istreambuf_iterator<char>(mountinfo), {}};
    return layout_in(text, path);
}

Result<CgroupLayout> layout_in(std::string_view mountinfo, const std::string& path) {
    CgroupLayout layout;
    layout.all = hierarchies(mountinfo);
    const auto v2 = std::ranges::find(layout.all, true, &CgroupHierarchy::v2);
    if (v2 != layout.all.end()) {
        layout.mount = v2->mount;
        layout.v2 = true;
        return layout;
    }
    for (const auto controller : kIdentifying) {
        if (const auto* v1 = layout.with_controller(controller)) {
            layout.mount = v1->mount;
            layout.controller = controller;
            return layout;
        }
    }
    return fail("no cgroup hierarchy that could tell containers apart is mounted (see " + path +
                "); mount one, e.g. mount -t cgroup2 none /sys/fs/cgroup");
}

}  // namespace plimsoll
