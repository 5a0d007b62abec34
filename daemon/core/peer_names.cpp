// SPDX-License-Identifier: Apache-2.0
#include "core/peer_names.h"

#include <algorithm>
#include <cstring>

namespace plimsoll {

namespace {

/// A unix socket's name; an abstract one begins with '@', as everywhere else.
std::string socket_name(const peer_name& name) {
    std::string text(name.text, std::min<std::size_t>(name.size, sizeof(name.text)));
    if (text.starts_with('\0')) {
        text.front() = '@';
        std::ranges::replace(text, '\0', '@');
        return text;
    }
    text = text.substr(0, text.find('\0'));
    return stands_for_several(text) ? "./" + text : text;
}

Address address_of(const peer_key& key) {
    Address address;
    std::memcpy(address.bytes.data(), key.words, sizeof(key.words));
    return address;
}

/// What the kernel has from the last part to the first.
std::string path(const peer_name& name) {
    std::string text;
    const std::size_t parts = std::min<std::size_t>(name.parts, PEER_NAME_PARTS);
    for (std::size_t i = parts; i-- > 0;) {
        const char* part = name.text + i * PEER_NAME_PART;
        text += '/' + std::string(part, strnlen(part, PEER_NAME_PART));
    }
    return parts == PEER_NAME_PARTS ? "…" + text : text;
}

}  // namespace

LocalServices::Place LocalServices::place_of(const peer_key& key) {
    const Address address = address_of(key);
    return {address, key.port, address.is_loopback() ? key.netns : 0};
}

void LocalServices::add(const peer_key& key, const std::string& container) {
    const auto [place, fresh] = containers_.emplace(place_of(key), container);
    if (!fresh && place->second != container) {
        place->second.clear();
    }
}

std::optional<std::string> LocalServices::find(const peer_key& key) const {
    const auto found = containers_.find(place_of(key));
    return found == containers_.end() || found->second.empty() ? std::nullopt : std::optional(found->second);
}

std::string peer_text(const peer_key& key, const peer_name& name) {
    switch (key.kind) {
        case PEER_REMOTE:
            return to_string(Endpoint{address_of(key), key.port});
        case PEER_LOCAL:
            return to_string(Endpoint{std::nullopt, key.port});
        default: {
            std::string text = key.kind == PEER_UNIX ? socket_name(name) : path(name);
            return text.empty() ? "?" : text;  // an empty label would be none
        }
    }
}

std::optional<std::string> PeerNames::better(const peer_key& key, const std::string& text,
                                             const std::string& server, const LocalServices& services) const {
    if (const auto named = config_.names.find(text); named != config_.names.end()) {
        return named->second;
    }
    if (key.kind == PEER_UNIX && !server.empty()) {
        return server + ":" + text;
    }
    if (key.kind != PEER_REMOTE) {
        return std::nullopt;
    }
    if (auto container = services.find(key)) {
        return container;
    }
    const auto inside = std::ranges::find_if(config_.networks, [&](const PeerNetwork& candidate) {
        return candidate.network.contains(address_of(key));
    });
    return inside == config_.networks.end() ? std::nullopt : std::optional(inside->name);
}

std::string PeerNames::label(const peer_key& key, const std::string& text, const std::string& server,
                             const LocalServices& services) const {
    const auto name = better(key, text, server, services);
    return name && !stands_for_several(*name) ? *name : text;
}

}  // namespace plimsoll
