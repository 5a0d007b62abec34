// SPDX-License-Identifier: Apache-2.0
// Addresses of the internet as they are written and as the kernel has them: one form for each, IPv4 as
// IPv4-mapped IPv6. Pure.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plimsoll {

struct Address {
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const Address&) const = default;
    [[nodiscard]] bool is_loopback() const;
};

/// "10.0.0.5", "2001:db8::1", "::ffff:10.0.0.5" (the same as 10.0.0.5), also in brackets.
std::optional<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

/// An address and a port. Without an address, any.
struct Endpoint {
    std::optional<Address> address;
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
};

/// "10.0.0.5:5432", "[2001:db8::1]:5432", ":5432"; the port is 1 to 65535.
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string to_string(const Endpoint& endpoint);

/// All addresses that begin with the same bits.
struct Network {
    Address first;
    unsigned bits = 0;  ///< of the IPv6 form

    bool operator==(const Network&) const = default;
    [[nodiscard]] bool contains(const Address& address) const;
};

/// "10.0.0.0/8", "fd00::/8", or one address; bits behind the prefix must be 0.
std::optional<Network> parse_network(std::string_view text);

}  // namespace plimsoll
