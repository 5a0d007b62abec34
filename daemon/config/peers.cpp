// SPDX-License-Identifier: Apache-2.0
#include "config/peers.h"

#include <optional>
#include <string_view>

#include "core/endpoint.h"
#include "core/peer_names.h"

namespace plimsoll {
namespace {

constexpr std::string_view kPeer =
    "an address and a port (10.0.0.5:5432, [2001:db8::1]:5432), :port, or the path of a unix socket or FIFO";

/// As the page has it: one way to write each address.
std::optional<std::string> peer_text(std::string_view text) {
    if (text.starts_with('/') || text.starts_with('@'))
        return std::string(text);
    const auto endpoint = parse_endpoint(text);
    return endpoint ? std::optional(to_string(*endpoint)) : std::nullopt;
}

std::optional<std::string> read_name(const Value& entry) {
    auto name = read_text(entry, kAnyText);
    if (name && stands_for_several(*name)) {
        entry.refuse(quoted(*name) + " stands for several peers", "another name");
        return std::nullopt;
    }
    return name;
}

}  // namespace

void read_peer_names(const Value& value, std::map<std::string, std::string>& out) {
    if (value.node.kind != Node::Kind::mapping)
        return value.refuse_it("a mapping of peers to names");
    out.clear();
    for (const Node& child : value.node.children) {
        const Value entry{child, value.path + "." + child.key, value.problems};
        const auto peer = peer_text(child.key);
        const auto name = read_name(entry);
        if (!peer)
            entry.refuse(quoted(child.key) + " is no peer", kPeer);
        else if (name && !out.emplace(*peer, *name).second)
            entry.refuse(quoted(child.key) + " has a name already", "one name for each");
    }
}

void read_peer_networks(const Value& value, std::vector<PeerNetwork>& out) {
    if (value.node.kind != Node::Kind::sequence)
        return value.refuse_it("a list of networks with their names, such as [10.0.0.0/8: internal]");
    out.clear();
    for (const Value& item : read_items(value)) {
        if (item.node.kind != Node::Kind::mapping || item.node.children.size() != 1) {
            item.refuse_it("one network with its name, such as 10.0.0.0/8: internal");
            continue;
        }
        const Node& child = item.node.children.front();
        const Value entry{child, item.path + "." + child.key, item.problems};
        const auto network = parse_network(child.key);
        const auto name = read_name(entry);
        if (!network)
            entry.refuse(
                quoted(child.key) + " is no network",
                "an address and the length of its prefix, with no bits behind it (10.0.0.0/8, fd00::/8)");
        else if (name)
            out.push_back({*network, *name});
    }
}

}  // namespace plimsoll
