// SPDX-License-Identifier: Apache-2.0
#include "exposition/own_sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

std::optional<std::uint16_t> port_of(const sockaddr_storage& address) {
    switch (address.ss_family) {
        case AF_INET:
            return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
        case AF_INET6:
            return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
        default:
            return std::nullopt;
    }
}

template <typename T>
T option(int fd, int name, T fallback) {
    T value{};
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : fallback;
}

void read_peer(OwnSocket& socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char text[NI_MAXHOST];
    if (getpeername(socket.fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&address), size, text, sizeof text, nullptr, 0,
                    NI_NUMERICHOST) == 0) {
        socket.peer = text;
        socket.peer_port = port_of(address).value_or(0);
    }
    int waiting = 0;
    socket.unread = ioctl(socket.fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

std::optional<OwnSocket> inspect(int fd, std::span<const std::uint16_t> local_ports) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return std::nullopt;  // no socket, or not open
    }
    const auto port = port_of(address);
    if (!port || std::ranges::find(local_ports, *port) == local_ports.end() ||
        option(fd, SO_TYPE, 0) != SOCK_STREAM) {
        return std::nullopt;
    }
    OwnSocket socket;
    socket.fd = fd;
    socket.local_port = *port;
    socket.listening = option(fd, SO_ACCEPTCONN, 0) != 0;
    socket.cookie = option<std::uint64_t>(fd, SO_COOKIE, 0);
    if (!socket.listening) {
        read_peer(socket);
    }
    return socket;
}

}  // namespace

std::vector<OwnSocket> find_own_sockets(std::span<const std::uint16_t> local_ports) {
    std::vector<OwnSocket> found;
    for (int fd = 0; fd < kKeptFrom; ++fd) {
        if (auto socket = inspect(fd, local_ports)) {
            found.push_back(std::move(*socket));
        }
    }
    return found;
}

void abort_socket(int fd) {
    const linger forget{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &forget, sizeof forget);
    shutdown(fd, SHUT_RDWR);
}

}  // namespace plimsoll
