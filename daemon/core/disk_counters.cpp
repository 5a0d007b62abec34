// SPDX-License-Identifier: Apache-2.0
#include "core/disk_counters.h"

#include <algorithm>

namespace plimsoll {

void DiskCounters::update(std::span<const Reading> readings) {
    for (const Reading& reading : readings) {
        add(reading.name, growth(reading));
    }
    last_.assign(readings.begin(), readings.end());
}

DiskValues DiskCounters::growth(const Reading& reading) const {
    const auto last = std::ranges::find(last_, reading.number, &Reading::number);
    if (last == last_.end() || last->name != reading.name ||
        !std::ranges::equal(last->values, reading.values, std::ranges::less_equal())) {
        return reading.values;
    }
    DiskValues growth;
    std::ranges::transform(reading.values, last->values, growth.begin(), std::minus());
    return growth;
}

void DiskCounters::add(std::string_view name, const DiskValues& growth) {
    if (growth == DiskValues{}) {
        return;
    }
    auto disk = std::ranges::find(disks_, name, &Disk::name);
    if (disk == disks_.end()) {
        disk = disks_.insert(disk, {name, {}});
    }
    std::ranges::transform(disk->values, growth, disk->values.begin(), std::plus());
}

}  // namespace plimsoll
