// SPDX-License-Identifier: Apache-2.0
#include "core/interface_counters.h"

#include <algorithm>
#include <array>
#include <vector>

namespace plimsoll {
namespace {

bool began_anew(const NetCounters& before, const NetCounters& now) {
    constexpr std::array kTraffic{NetColumn::receive_bytes, NetColumn::receive_packets,
                                  NetColumn::transmit_bytes, NetColumn::transmit_packets};
    return std::ranges::any_of(kTraffic, [&](auto column) { return now[column] < before[column]; });
}

void advance(InterfaceCounters::Interface& known, const NetCounters& read, bool same_namespace) {
    known.present = true;
    if (!same_namespace) {
        known.read = read;
        return;
    }
    if (began_anew(known.read, read)) {
        known.read = {};
    }
    for (std::size_t column = 0; column < read.size(); ++column) {
        if (read[column] > known.read[column]) {
            known.shown[column] += read[column] - known.read[column];
            known.read[column] = read[column];
        }
    }
}

}  // namespace

void InterfaceCounters::update(NamespaceId from, std::span<const NetInterface> interfaces) {
    const bool same_namespace = from == from_;
    from_ = from;
    for (auto& [name, interface] : interfaces_) {
        interface.present = false;
    }
    std::vector<const NetInterface*> strangers;
    for (const auto& interface : interfaces) {
        if (const auto known = interfaces_.find(interface.name); known != interfaces_.end()) {
            advance(known->second, interface.counters, same_namespace);
        } else {
            strangers.push_back(&interface);
        }
    }
    if (interfaces_.size() + strangers.size() > kMost) {
        std::erase_if(interfaces_, [](const auto& entry) { return !entry.second.present; });
    }
    for (const auto* stranger : strangers) {
        if (interfaces_.size() < kMost) {
            interfaces_.try_emplace(std::string(stranger->name),
                                    Interface{stranger->counters, stranger->counters, true});
        }
    }
}

}  // namespace plimsoll
