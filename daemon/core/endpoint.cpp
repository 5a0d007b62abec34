// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace plimsoll {

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_ipv4(const Address& address) {
    return std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most ||
        (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    return static_cast<Number>(value);
}

}  // namespace

bool Address::is_loopback() const {
    constexpr Address kIpv6Loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    return is_ipv4(*this) ? bytes[12] == 127 : *this == kIpv6Loopback;
}

std::optional<Address> parse_address(std::string_view text) {
    const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
    const std::string plain(bracketed ? text.substr(1, text.size() - 2) : text);
    Address address;
    if (!bracketed && inet_pton(AF_INET, plain.c_str(), &address.bytes[12]) == 1) {
        std::ranges::copy(kMapped, address.bytes.begin());
        return address;
    }
    return inet_pton(AF_INET6, plain.c_str(), address.bytes.data()) == 1 ? std::optional(address)
                                                                         : std::nullopt;
}

std::string to_string(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_ipv4(address)) {
        inet_ntop(AF_INET, &address.bytes[12], text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
    }
    return text.data();
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 65535);
    const auto host = text.substr(0, colon);
    if (!port || *port == 0) {
        return std::nullopt;
    }
    if (host.empty()) {
        return Endpoint{std::nullopt, *port};
    }
    if (host.front() != '[' && host.contains(':')) {
        return std::nullopt;
    }
    const auto address = parse_address(host);
    return address ? std::optional(Endpoint{address, *port}) : std::nullopt;
}

std::string to_string(const Endpoint& endpoint) {
    const std::string port = ":" + std::to_string(endpoint.port);
    if (!endpoint.address) {
        return port;
    }
    const std::string host = to_string(*endpoint.address);
    return (host.contains(':') ? "[" + host + "]" : host) + port;
}

bool Network::contains(const Address& address) const {
    for (unsigned bit = 0; bit < bits; bit += 8) {
        const unsigned counted = std::min(8U, bits - bit);
        const unsigned mask = 0xff00U >> counted & 0xffU;
        if (((first.bytes[bit / 8] ^ address.bytes[bit / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}

std::optional<Network> parse_network(std::string_view text) {
    const auto slash = text.find('/');
    const auto first = parse_address(text.substr(0, slash));
    if (!first) {
        return std::nullopt;
    }
    const bool written_as_ipv4 = !text.contains(':');
    Network network{*first, 128};
    if (slash != std::string_view::npos) {
        const auto bits = parse_number<unsigned>(text.substr(slash + 1), written_as_ipv4 ? 32 : 128);
        if (!bits) {
            return std::nullopt;
        }
        network.bits = *bits + (written_as_ipv4 ? 96 : 0);
    }
    Address cut = *first;
    for (unsigned bit = network.bits; bit < 128; bit++) {
        cut.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
    }
    return cut == *first ? std::optional(network) : std::nullopt;
}

}  // namespace plimsoll
