// SPDX-License-Identifier: Apache-2.0
// Unix sockets, TCP and UDP over loopback, netlink.
#include "scene.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <vector>

namespace {

struct Socket {
    int fd;
    explicit Socket(int descriptor) : fd(must(descriptor, "socket")) {}
    Socket(Socket&& other) : fd(other.fd) { other.fd = -1; }
    ~Socket() {
        if (fd >= 0)
            close(fd);
    }
};

struct UnixPair {
    int ends[2];
    UnixPair() { must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair"); }
    ~UnixPair() { close(ends[0]), close(ends[1]); }
};

void set_timeout(Scene& scene, int fd, int option) {
    const timeval timeout{static_cast<time_t>(scene.wait_ns / 1'000'000'000),
                          static_cast<suseconds_t>(scene.wait_ns % 1'000'000'000 / 1000)};
    must(setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof timeout), "socket timeout");
}

/// Fills what the socket can send without blocking.
void fill(int fd) {
    const std::string block(1 << 16, 'x');
    while (send(fd, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    while (send(fd, "x", 1, MSG_DONTWAIT) > 0) {
    }
}

void unix_recv(Scene& scene) {
    UnixPair pair;
    set_timeout(scene, pair.ends[0], SO_RCVTIMEO);
    char byte;
    scene.timed("unix_recv", [&] { return recv(pair.ends[0], &byte, 1, 0); });
}

void unix_read(Scene& scene) {
    UnixPair pair;
    scene.later([&] { must(write(pair.ends[1], "x", 1), "write"); });
    char byte;
    scene.timed("unix_read", [&] { return read(pair.ends[0], &byte, 1); });
}

void unix_send(Scene& scene) {
    UnixPair pair;
    fill(pair.ends[0]);
    set_timeout(scene, pair.ends[0], SO_SNDTIMEO);
    scene.timed("unix_send", [&] { return send(pair.ends[0], "x", 1, 0); });
}

void unix_accept(Scene& scene) {
    Socket listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;  // and no name: the kernel picks an abstract one
    must(bind(listener.fd, reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), "bind");
    must(listen(listener.fd, 1), "listen");
    set_timeout(scene, listener.fd, SO_RCVTIMEO);
    scene.timed("unix_accept", [&] { return accept(listener.fd, nullptr, nullptr); });
}

sockaddr_in loopback(in_port_t port = 0) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = port;
    return address;
}

sockaddr_in bind_loopback(int fd) {
    sockaddr_in address = loopback();
    socklen_t size = sizeof address;
    must(bind(fd, reinterpret_cast<sockaddr*>(&address), size), "bind");
    must(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    return address;
}

int connect_to(const sockaddr_in& address, int fd) {
    return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

struct TcpPair {
    Socket listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    Socket client{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    Socket server = connected();

    Socket connected() {
        const sockaddr_in address = bind_loopback(listener.fd);
        must(listen(listener.fd, 1), "listen");
        must(connect_to(address, client.fd), "connect");
        return Socket(accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC));
    }
};

void tcp_recv(Scene& scene) {
    TcpPair pair;
    set_timeout(scene, pair.client.fd, SO_RCVTIMEO);
    char byte;
    scene.timed("tcp_recv", [&] { return recv(pair.client.fd, &byte, 1, 0); });
}

void tcp_read(Scene& scene) {
    TcpPair pair;
    scene.later([&] { must(send(pair.client.fd, "x", 1, 0), "send"); });
    char byte;
    scene.timed("tcp_read", [&] { return read(pair.server.fd, &byte, 1); });
}

void tcp_send(Scene& scene) {
    TcpPair pair;
    fill(pair.client.fd);
    set_timeout(scene, pair.client.fd, SO_SNDTIMEO);
    const std::string block(1 << 20, 'x');
    scene.timed("tcp_send", [&] { return send(pair.client.fd, block.data(), block.size(), 0); });
}

void tcp_accept(Scene& scene) {
    Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = bind_loopback(listener.fd);
    must(listen(listener.fd, 1), "listen");
    Socket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    scene.later([&] { must(connect_to(address, client.fd), "connect"); });
    Socket accepted(
        scene.timed("tcp_accept", [&] { return accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC); }));
}

/// The listener's backlog is full, so the kernel drops the SYN and connect() waits.
void tcp_connect(Scene& scene) {
    Socket listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = bind_loopback(listener.fd);
    must(listen(listener.fd, 0), "listen");
    std::vector<Socket> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        connect_to(address, fillers.back().fd);
    }
    Socket client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    set_timeout(scene, client.fd, SO_SNDTIMEO);
    if (scene.timed("tcp_connect", [&] { return connect_to(address, client.fd); }) == 0)
        throw Failure{"connect did not block"};
}

void udp_recv(Scene& scene) {
    Socket receiver(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    bind_loopback(receiver.fd);
    set_timeout(scene, receiver.fd, SO_RCVTIMEO);
    char byte;
    scene.timed("udp_recv", [&] { return recvfrom(receiver.fd, &byte, 1, 0, nullptr, nullptr); });
}

void udp_recvmmsg(Scene& scene) {
    Socket receiver(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    bind_loopback(receiver.fd);
    set_timeout(scene, receiver.fd, SO_RCVTIMEO);
    char byte;
    iovec data{&byte, 1};
    mmsghdr message{};
    message.msg_hdr.msg_iov = &data, message.msg_hdr.msg_iovlen = 1;
    scene.timed("udp_recvmmsg", [&] { return recvmmsg(receiver.fd, &message, 1, 0, nullptr); });
}

void netlink_recv(Scene& scene) {
    Socket receiver(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    set_timeout(scene, receiver.fd, SO_RCVTIMEO);
    char buffer[64];
    scene.timed("netlink_recv", [&] { return recv(receiver.fd, buffer, sizeof buffer, 0); });
}

}  // namespace

const Kind kSocketKinds[] = {{"unix_recv", unix_recv},
                             {"unix_read", unix_read},
                             {"unix_send", unix_send},
                             {"unix_accept", unix_accept},
                             {"tcp_recv", tcp_recv},
                             {"tcp_read", tcp_read},
                             {"tcp_send", tcp_send},
                             {"tcp_accept", tcp_accept},
                             {"tcp_connect", tcp_connect},
                             {"udp_recv", udp_recv},
                             {"udp_recvmmsg", udp_recvmmsg},
                             {"netlink_recv", netlink_recv},
                             {nullptr, nullptr}};
