// SPDX-License-Identifier: Apache-2.0
// The counters of a container's disks, kept from going back. Pure; one thread.
//
// The kernel counts by device number, and forgets a device that is removed; people see names. What a number
// counts is added to the counters of the name that it has now. A number that was away, counts lower than
// before or has become another device counts from 0 again.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "files/parse.h"

namespace plimsoll {

using DiskValues = std::array<std::uint64_t, 4>;

class DiskCounters {
  public:
    struct Reading {
        DeviceNumber number;
        std::string_view name;
        DiskValues values;
    };
    struct Disk {
        std::string_view name;
        DiskValues values;
    };

    /// Each device that the kernel counts for now, once. Names are kept: they need static storage.
    void update(std::span<const Reading> readings);

    /// Those that were used, also when they are gone.
    [[nodiscard]] const std::vector<Disk>& all() const { return disks_; }

  private:
    [[nodiscard]] DiskValues growth(const Reading& reading) const;
    void add(std::string_view name, const DiskValues& growth);

    std::vector<Reading> last_;
    std::vector<Disk> disks_;
};

}  // namespace plimsoll
