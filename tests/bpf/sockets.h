// SPDX-License-Identifier: Apache-2.0
// Small steps with sockets for the children of a test: each ends the child with a number of its own when it
// fails.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace plimsoll::bpf_test {

inline void check_step(bool good, int exit_code) {
    if (!good) {
        _exit(exit_code);
    }
}

/// A loopback address. `mapped`: an IPv6 socket that speaks IPv4.
struct Address {
    int family;
    bool mapped;
    std::uint16_t port;

    socklen_t fill(sockaddr_storage& storage) const {
        storage = {};
        if (family == AF_INET) {
            auto& address = reinterpret_cast<sockaddr_in&>(storage);
            address.sin_family = AF_INET;
            address.sin_port = htons(port);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return sizeof(address);
        }
        auto& address = reinterpret_cast<sockaddr_in6&>(storage);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_addr = in6addr_loopback;
        if (mapped) {
            constexpr std::array<std::uint8_t, 16> kLoopback{0, 0, 0,    0,    0,   0, 0, 0,
                                                             0, 0, 0xff, 0xff, 127, 0, 0, 1};
            std::memcpy(&address.sin6_addr, kLoopback.data(), kLoopback.size());
        }
        return sizeof(address);
    }
};

inline int open_socket(int family, int type) {
    const int fd = socket(family, type, 0);
    check_step(fd >= 0, 80);
    return fd;
}

inline void bind_to(int fd, const Address& address) {
    sockaddr_storage storage{};
    const socklen_t size = address.fill(storage);
    check_step(bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0, 81);
}

inline std::uint16_t port_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    check_step(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0, 82);
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);  // at the same place for IPv6
}

/// A socket that listens; port 0: on one of the kernel's choice.
inline int listen_on(Address address, int backlog = 16) {
    const int fd = open_socket(address.family, SOCK_STREAM);
    bind_to(fd, address);
    check_step(listen(fd, backlog) == 0, 83);
    return fd;
}

inline int accept_one(int listener) {
    const int fd = accept(listener, nullptr, nullptr);
    check_step(fd >= 0, 84);
    return fd;
}

inline int connect_socket(int fd, const Address& address) {
    sockaddr_storage storage{};
    const socklen_t size = address.fill(storage);
    return connect(fd, reinterpret_cast<const sockaddr*>(&storage), size);
}

inline int connect_to(const Address& address, int type = SOCK_STREAM) {
    const int fd = open_socket(address.family, type);
    check_step(connect_socket(fd, address) == 0, 85);
    return fd;
}

inline void send_times(int fd, int times, std::size_t size) {
    const std::string data(size, 'x');
    for (int i = 0; i < times; i++) {
        check_step(send(fd, data.data(), size, MSG_NOSIGNAL) == static_cast<ssize_t>(size), 86);
    }
}

inline void receive_times(int fd, int times, std::size_t size) {
    std::string data(size, '\0');
    for (int i = 0; i < times; i++) {
        check_step(recv(fd, data.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size), 87);
    }
}

}  // namespace plimsoll::bpf_test
