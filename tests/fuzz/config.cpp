// SPDX-License-Identifier: Apache-2.0
// The configuration: any text gives the same twice; a refusal is lines that a terminal can show; what is
// accepted is within the limits that the documentation names.
#include <set>
#include <string>

#include "config/connection_address.h"
#include "config/load.h"
#include "config/reload.h"
#include "config/text_guard.h"
#include "containers/selector.h"
#include "exposition/listen_address.h"
#include "fuzz/input.h"
#include "fuzz/refusal.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

constexpr std::string_view kFile = "plimsoll.yaml";

void check_rules(const std::vector<ContainerRule>& rules) {
    for (const auto& rule : rules) {
        require(rule.name || rule.image || rule.runtime || rule.cgroup || !rule.labels.empty() ||
                    rule.connects_to,
                "a rule has a part");
        require(!rule.cgroup || valid_glob(*rule.cgroup), "a rule's cgroup is a glob");
    }
}

void check_times(const Config::Smoothing& smoothing) {
    using namespace std::chrono_literals;
    const std::set<std::chrono::nanoseconds> windows(smoothing.windows.begin(), smoothing.windows.end());
    require(smoothing.tick >= 10ms && smoothing.tick <= 10s, "the tick is in its range");
    require(!windows.empty() && windows.size() <= 5 && windows.size() == smoothing.windows.size(),
            "there are 1 to 5 windows, each once");
    require(*windows.begin() >= 100ms && *windows.rbegin() <= 1h, "windows are in their range");
}

void check_accepted(const Config& config) {
    using namespace std::chrono_literals;
    const auto& containers = config.containers;
    require(!config.web.listen.empty(), "there is an address to listen on");
    for (const auto& address : config.web.listen) {
        require(parse_listen_address(address).has_value(), "an address to listen on is one");
    }
    require(containers.max >= 1 && containers.max <= 65536, "containers.max is in its range");
    require(containers.linger >= 0s && containers.linger <= 24h, "containers.linger is in its range");
    require(config.peers.max >= 1 && config.peers.max <= 1000, "peers.max is in its range");
    require(config.probes.size() == default_config().probes.size(), "there is no unknown probe");
    check_times(config.smoothing);
    check_rules(containers.include);
    check_rules(containers.exclude);
    for (const auto& rule : containers.exclude) {
        require(!rule.connects_to, "no container is excluded by what it connects to");
    }
    for (const auto& rule : containers.include) {
        require(!rule.connects_to || target_number(rule, connection_targets(containers)),
                "an address of connects_to has a number");
    }
    for (const auto& rule : containers.cgroups) {
        require(valid_glob(rule.path) && !rule.path.empty(), "a cgroup's path is a glob");
    }
    require(fixed_until_restart(config, config).empty(), "nothing differs from itself");
    static_cast<void>(Selector(containers).container_around("/a.slice/b.service/c"));
}

}  // namespace

void config(std::string_view input) {
    const auto first = parse_config(input, kFile);
    require(first == parse_config(input, kFile), "the same text gives the same");
    if (!first) {
        return check_refusal(first.error(), kFile, input);
    }
    check_accepted(*first);
    const std::string longer = "# a comment\n" + std::string(input);
    if (!input.starts_with("\xEF\xBB\xBF") && longer.size() <= kMaxConfigBytes) {
        const auto commented = parse_config(longer, kFile);
        require(commented && *commented == *first, "a comment in front of it changes nothing");
    }
}

}  // namespace plimsoll::fuzz
