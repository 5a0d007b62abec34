// SPDX-License-Identifier: Apache-2.0
#include "probes/block_labels.h"

#include <array>
#include <cstring>
#include <string_view>

#include "kernel/keyed_map.h"

namespace plimsoll {

namespace {

constexpr std::array<std::string_view, BLOCK_DIRECTIONS> kDirections{"read", "write", "discard", "flush"};

/// The disk as udev names it: the kernel's names have ! where the device's path has a slash.
BlockLabels::Fragments fragments_of(const block_disk& named, __u32 direction) {
    std::string disk = "device=\"/dev/";
    for (const char c : std::string_view(named.name, strnlen(named.name, sizeof(named.name)))) {
        disk += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c == '!' ? '/' : c};
    }
    disk += '"';
    return {disk, disk + ",direction=\"" + std::string(kDirections.at(direction)) + "\""};
}

}  // namespace

const BlockLabels::Fragments* BlockLabels::find(const block_series& series) {
    const auto found = fragments_.find(series);
    if (found != fragments_.end()) {
        return &found->second;
    }
    const auto disk = look_up<block_disk>(disks_, series.disk);
    return disk ? &fragments_.emplace(series, fragments_of(*disk, series.direction)).first->second : nullptr;
}

}  // namespace plimsoll
