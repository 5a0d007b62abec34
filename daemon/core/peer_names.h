// SPDX-License-Identifier: Apache-2.0
// What a peer is called: by the configuration, by the container that it is, by its network, or as it is.
// Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/endpoint.h"
#include "shared/peer.h"

namespace plimsoll {

/// What is served on this host, and by which container.
class LocalServices {
  public:
    /// `key`: of kind PEER_LOCAL.
    void add(const peer_key& key, const std::string& container);
    /// Who serves what the client with this key of kind PEER_REMOTE talks to; nothing when nobody is known
    /// to, or more than one.
    [[nodiscard]] std::optional<std::string> find(const peer_key& key) const;

  private:
    using Place = std::tuple<Address, std::uint16_t, std::uint32_t>;  // 0 but for loopback: the namespace
    static Place place_of(const peer_key& key);
    std::map<Place, std::string> containers_;  // empty: several
};

class PeerNames {
  public:
    explicit PeerNames(Config::Peers config) : config_(std::move(config)) {}

    /// `text`: what peer_text() says. `server`: the container at the other end of a unix socket, "" if that
    /// is none.
    [[nodiscard]] std::string label(const peer_key& key, const std::string& text, const std::string& server,
                                    const LocalServices& services) const;

  private:
    [[nodiscard]] std::optional<std::string> better(const peer_key& key, const std::string& text,
                                                    const std::string& server,
                                                    const LocalServices& services) const;
    Config::Peers config_;
};

/// Labels that are no peer's name.
inline constexpr std::string_view kOtherPeers = "other", kNoPeer = "unattributed";
constexpr bool stands_for_several(std::string_view label) {
    return label == kOtherPeers || label == kNoPeer;
}

/// What a peer is called without anybody's help. `name`: of a unix socket or a FIFO.
std::string peer_text(const peer_key& key, const peer_name& name);

}  // namespace plimsoll
