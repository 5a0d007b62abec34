// SPDX-License-Identifier: Apache-2.0
#include "config/connection_address.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "core/endpoint.h"

namespace plimsoll {
namespace {

/// The address "any" is nobody's destination: the kernel makes it a loopback.
bool is_unspecified(const Address& address) {
    return address == parse_address("::") || address == parse_address("0.0.0.0");
}

bool same(const connection_target& one, const connection_target& other) {
    return std::memcmp(&one, &other, sizeof(one)) == 0;
}

std::optional<connection_target> target_of(const ContainerRule& rule) {
    return rule.connects_to ? parse_connection_address(*rule.connects_to) : std::nullopt;
}

}  // namespace

std::optional<connection_target> parse_connection_address(std::string_view text) {
    const auto endpoint = parse_endpoint(text.starts_with("*:") ? text.substr(1) : text);
    if (!endpoint || (endpoint->address && is_unspecified(*endpoint->address))) {
        return std::nullopt;
    }
    connection_target target{};
    const Address address = endpoint->address.value_or(Address{});
    std::ranges::copy(address.bytes, target.address);
    target.port = htons(endpoint->port);
    return target;
}

std::vector<connection_target> connection_targets(const Config::Containers& config) {
    std::vector<connection_target> targets;
    for (const auto& rule : config.include) {
        const auto target = target_of(rule);
        if (target && !target_number(rule, targets)) {
            targets.push_back(*target);
        }
    }
    return targets;
}

std::optional<std::uint32_t> target_number(const ContainerRule& rule,
                                           const std::vector<connection_target>& targets) {
    const auto target = target_of(rule);
    const auto found = std::ranges::find_if(
        targets, [&](const connection_target& one) { return target && same(one, *target); });
    return found == targets.end() ? std::nullopt
                                  : std::optional(static_cast<std::uint32_t>(found - targets.begin()));
}

}  // namespace plimsoll
