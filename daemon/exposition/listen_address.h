// SPDX-License-Identifier: Apache-2.0
// The addresses of `web.listen` and --web.listen-address: parsing, and the question whether they are free.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace plimsoll {

struct ListenAddress {
    std::string host;  ///< a numeric address without brackets; empty: every IPv4 address of the host
    std::uint16_t port = 0;
    bool v6 = false;
};

/// "127.0.0.1:9752", "localhost:9752", "[::1]:9752", ":9752"; port 0 stands for any free one.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// Binds all of them at once and lets go again: an error names the first that is taken, or given twice.
/// Another program may still come in between, which the web server then reports in its own words.
Result<void> probe_listen_addresses(std::span<const ListenAddress> addresses);

std::string to_string(const ListenAddress& address);

}  // namespace plimsoll
