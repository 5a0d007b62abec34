// SPDX-License-Identifier: Apache-2.0
// The labels of probe block's series, made when a series is first met. Owned by the probe.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "shared/block.h"

inline bool operator<(const block_series& a, const block_series& b) {
    return std::pair(a.disk, a.direction) < std::pair(b.disk, b.direction);
}

namespace plimsoll {

class BlockLabels {
  public:
    struct Fragments {
        std::string disk;    ///< device="/dev/…"
        std::string series;  ///< that and the direction
    };

    BlockLabels() = default;
    /// Of the map that has the disks' names, which outlives this.
    explicit BlockLabels(int disks_fd) : disks_(disks_fd) {}

    /// Stays where it is as long as this lives: snapshots refer to it. Null: the disk's name cannot be read
    /// now.
    const Fragments* find(const block_series& series);

  private:
    int disks_ = -1;
    std::map<block_series, Fragments> fragments_;
};

}  // namespace plimsoll
