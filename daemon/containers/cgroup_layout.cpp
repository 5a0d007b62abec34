// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <sstream>

#include "containers/cgroup_tree.h"

namespace plimsoll {
namespace {

constexpr std::string_view kControllers[] = {"cpu",     "cpuacct", "cpuset",  "memory",     "blkio",
                                             "devices", "freezer", "net_cls", "perf_event", "net_prio",
                                             "hugetlb", "pids",    "rdma",    "misc"};
/// Those that identify containers on v1, best first: runtimes put containers there even without any limit.
constexpr std::string_view kIdentifying[] = {"memory", "cpuacct", "cpu", "pids", "devices", "freezer"};

/// Space, tab, newline and backslash are written as three octal digits.
std::string unescape_mount(std::string_view text) {
    const auto octal = [](char c) { return c >= '0' && c <= '7'; };
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size() && std::all_of(&text[i + 1], &text[i + 1] + 3, octal)) {
            plain.push_back(
                static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
            i += 3;
        } else {
            plain.push_back(text[i]);
        }
    }
    return plain;
}

struct Mount {
    CgroupHierarchy hierarchy;
    bool whole = false;  ///< the hierarchy's root is what is mounted, not a directory of it
};

/// A line is "id parent major:minor root mountpoint options [optional…] - type source superoptions".
std::optional<Mount> parse_line(const std::string& line) {
    const auto separator = line.find(" - ");
    if (separator == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream before(line.substr(0, separator)), after(line.substr(separator + 3));
    std::string id, parent, device, root, mount_point, type, source, options;
    before >> id >> parent >> device >> root >> mount_point;
    after >> type >> source >> options;
    if (mount_point.empty() || (type != "cgroup" && type != "cgroup2")) {
        return std::nullopt;
    }
    Mount mount{{unescape_mount(mount_point), type == "cgroup2", {}}, root == "/"};
    std::istringstream list(mount.hierarchy.v2 ? std::string() : options);
    for (std::string option; std::getline(list, option, ',');) {
        if (option.starts_with("name=") ||
            std::ranges::find(kControllers, option) != std::end(kControllers)) {
            mount.hierarchy.controllers.push_back(std::move(option));
        }
    }
    return mount;
}

/// One entry for each hierarchy, from the mount that shows most of it.
std::vector<CgroupHierarchy> hierarchies(std::istream& mountinfo) {
    std::vector<Mount> found;
    for (std::string line; std::getline(mountinfo, line);) {
        auto mount = parse_line(line);
        if (!mount) {
            continue;
        }
        const auto same = std::ranges::find_if(found, [&](const Mount& other) {
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
