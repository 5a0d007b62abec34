// SPDX-License-Identifier: Apache-2.0
// The lists below `peers`. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/values.h"

namespace plimsoll {

/// A mapping of peers, as they are called on the page without it, to names.
void read_peer_names(const Value& value, std::map<std::string, std::string>& out);
/// A list of mappings of one network to its name each.
void read_peer_networks(const Value& value, std::vector<PeerNetwork>& out);

}  // namespace plimsoll
