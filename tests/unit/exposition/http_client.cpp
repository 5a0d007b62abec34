// SPDX-License-Identifier: Apache-2.0
#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace plimsoll::testing {
namespace {

using Clock = std::chrono::steady_clock;

bool readable_within(int fd, std::chrono::milliseconds timeout) {
    pollfd poll_fd{.fd = fd, .events = POLLIN, .revents = 0};
    return poll(&poll_fd, 1, static_cast<int>(std::max<std::int64_t>(timeout.count(), 0))) > 0;
}

std::chrono::milliseconds until(Clock::time_point end) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
}

}  // namespace

HttpClient::HttpClient(std::uint16_t port, int receive_buffer)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (!fd_) {
        throw std::runtime_error("socket");
    }
    if (receive_buffer > 0) {
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::runtime_error("connect to port " + std::to_string(port));
    }
}

bool HttpClient::send(std::string_view bytes) const {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string HttpClient::read_some(std::size_t size, std::chrono::milliseconds timeout) const {
    std::string bytes(size, '\0');
    const ssize_t got = readable_within(fd_.get(), timeout) ? recv(fd_.get(), bytes.data(), size, 0) : 0;
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

std::string HttpClient::read_all(std::chrono::milliseconds timeout) const {
    const auto end = Clock::now() + timeout;
    std::string all;
    for (;;) {
        const std::string bytes = read_some(65536, until(end));
        if (bytes.empty()) {
            return all;
        }
        all += bytes;
    }
}

bool HttpClient::is_closed_within(std::chrono::milliseconds timeout) const {
    const auto end = Clock::now() + timeout;
    while (readable_within(fd_.get(), until(end))) {
        char bytes[4096];
        if (recv(fd_.get(), bytes, sizeof bytes, 0) <= 0) {
            return true;
        }
    }
    return false;
}

Reply parse_reply(const std::string& raw) {
    Reply reply;
    const std::size_t head = raw.find("\r\n\r\n");
    if (head == std::string::npos || !raw.starts_with("HTTP/1.1 ")) {
        return reply;
    }
    reply.status = std::stoi(raw.substr(9, 3));
    reply.body = raw.substr(head + 4);
    for (std::size_t at = raw.find("\r\n") + 2; at < head;) {
        const std::size_t end = raw.find("\r\n", at);
        const std::size_t colon = raw.find(": ", at);
        std::string name = raw.substr(at, colon - at);
        std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
        reply.headers[name] = raw.substr(colon + 2, end - colon - 2);
        at = end + 2;
    }
    return reply;
}

Reply request(std::uint16_t port, std::string_view method, std::string_view path, std::string_view headers,
              std::chrono::milliseconds timeout) {
    const auto begin = Clock::now();
    const HttpClient client(port);
    client.send(std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" +
                std::string(headers) + "\r\n");
    Reply reply = parse_reply(client.read_all(timeout));
    reply.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    return reply;
}

}  // namespace plimsoll::testing
