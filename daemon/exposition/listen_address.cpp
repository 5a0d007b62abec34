// SPDX-License-Identifier: Apache-2.0
#include "exposition/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <vector>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

constexpr std::string_view kAllowed = "expected host:port, [v6 address]:port or :port";

bool is_numeric(const ListenAddress& address) {
    in6_addr scratch{};
    return inet_pton(address.v6 ? AF_INET6 : AF_INET, address.host.c_str(), &scratch) == 1;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size();
}

Result<UniqueFd> try_to_listen(const ListenAddress& address) {
    UniqueFd fd(socket(address.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        return fail_errno("socket", errno);
    }
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr);  // an empty host leaves INADDR_ANY
    inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr);
    const auto* name =
        address.v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
    const socklen_t size = address.v6 ? sizeof v6 : sizeof v4;
    if (bind(fd.get(), name, size) != 0 || listen(fd.get(), 1) != 0) {
        return fail_errno("listen " + to_string(address), errno);
    }
    return fd;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
    const auto refuse = [&] { return fail("listen " + std::string(text) + ": " + std::string(kAllowed)); };
    const std::size_t colon = text.rfind(':');
    ListenAddress address;
    if (colon == std::string_view::npos || !parse_port(text.substr(colon + 1), address.port)) {
        return refuse();
    }
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
        address.v6 = true;
        host = host.substr(1, host.size() - 2);
    }
    address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
    if (!address.host.empty() && !is_numeric(address)) {
        return refuse();
    }
    return address;
}

Result<void> probe_listen_addresses(std::span<const ListenAddress> addresses) {
    std::vector<UniqueFd> held;
    for (const ListenAddress& address : addresses) {
        auto fd = try_to_listen(address);
        if (!fd) {
            return std::unexpected(fd.error());
        }
        held.push_back(std::move(*fd));
    }
    return {};
}

std::string to_string(const ListenAddress& address) {
    return (address.v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace plimsoll
