// SPDX-License-Identifier: Apache-2.0
#include "config/reload.h"

#include <catch2/catch.hpp>

namespace plimsoll {
namespace {

using Keys = std::vector<std::string>;

TEST_CASE("what the kernel side was made for is fixed until a restart, and is named") {
    const Config now = default_config();
    Config next = now;
    CHECK(fixed_until_restart(now, next).empty());
    next.containers.max = 7;
    next.events_channel = EventChannelKind::perf;
    next.probes["ledger"].enabled = next.probes["peer"].enabled = false;
    ContainerRule rule;
    rule.connects_to = "10.0.0.5:5432";
    next.containers.include.push_back(rule);
    CHECK(fixed_until_restart(now, next) == Keys{"containers.max", "connects_to in containers.include",
                                                 "events.channel", "probes.ledger.enabled",
                                                 "probes.peer.enabled"});
}

TEST_CASE("everything else can change") {
    const Config now = default_config();
    Config next = now;
    next.web.listen = {":1"};
    next.containers.discover.clear();
    next.containers.include.emplace_back().name = "web";
    next.containers.exclude.emplace_back().name = "debug";
    next.containers.labels = {"*"};
    next.containers.linger = std::chrono::seconds(1);
    next.io.latency = false;
    for (auto& [name, probe] : next.probes) {
        probe.required = true;
        probe.enabled = name == "ledger" || name == "peer";
    }
    next.smoothing.windows = {std::chrono::seconds(5)};
    next.peers.max = 1;
    next.self_bpf_stats = true;
    next.log_level = LogLevel::error;
    CHECK(fixed_until_restart(now, next).empty());
}

}  // namespace
}  // namespace plimsoll
