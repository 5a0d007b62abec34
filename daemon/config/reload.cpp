// SPDX-License-Identifier: Apache-2.0
#include "config/reload.h"

#include "config/connection_address.h"

namespace plimsoll {
namespace {

/// Programs of others book for these from their load on.
constexpr const char* kBookedForever[]{"ledger", "peer"};

std::vector<std::string> connection_addresses(const Config& config) {
    std::vector<std::string> addresses;
    for (const auto& rule : config.containers.include) {
        if (rule.connects_to) {
            addresses.push_back(*rule.connects_to);
        }
    }
    return addresses;
}

}  // namespace

std::vector<std::string> fixed_until_restart(const Config& now, const Config& next) {
    std::vector<std::string> keys;
    if (now.containers.max != next.containers.max) {
        keys.emplace_back("containers.max");
    }
    if (connection_addresses(now) != connection_addresses(next)) {
        keys.emplace_back("connects_to in containers.include");
    }
    if (now.events_channel != next.events_channel) {
        keys.emplace_back("events.channel");
    }
    for (const char* probe : kBookedForever) {
        if (now.probes.at(probe).enabled != next.probes.at(probe).enabled) {
            keys.push_back("probes." + std::string(probe) + ".enabled");
        }
    }
    return keys;
}

}  // namespace plimsoll
