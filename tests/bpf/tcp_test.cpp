// SPDX-License-Identifier: Apache-2.0
// TCP connections: exact numbers of what was made, failed, ended and is open, each container apart.
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <catch2/catch.hpp>

#include <fstream>
#include <numeric>

#include "agent.h"
#include "child.h"
#include "sockets.h"

namespace plimsoll::bpf_test {
namespace {

std::string quoted(const char* label, const std::string& value) {
    return label + ("=\"" + value + "\"");
}

std::uint64_t in_state(const Reading& reading, const Cgroup& cgroup, const std::string& state) {
    return reading.value(cgroup, "container_tcp_connections", quoted("state", state));
}

std::uint64_t opened(const Reading& reading, const Cgroup& cgroup, const std::string& role) {
    return reading.value(cgroup, "container_tcp_connections_opened_total", quoted("role", role));
}

std::uint64_t closed(const Reading& reading, const Cgroup& cgroup, const std::string& role) {
    return reading.value(cgroup, "container_tcp_connections_closed_total", quoted("role", role));
}

std::uint64_t failed(const Reading& reading, const Cgroup& cgroup, const std::string& reason) {
    return reading.value(cgroup, "container_tcp_connections_failed_total",
                         quoted("role", "client") + "," + quoted("reason", reason));
}

std::uint64_t resets(const Reading& reading, const Cgroup& cgroup, const std::string& direction) {
    return reading.value(cgroup, "container_tcp_resets_total", quoted("direction", direction));
}

std::uint64_t observations(const Reading& reading, const Cgroup& cgroup, const std::string& family,
                           const std::string& label = "") {
    const HistogramValue* histogram = reading.histogram(cgroup, family, label);
    return histogram == nullptr
               ? 0
               : std::accumulate(histogram->buckets.begin(), histogram->buckets.end(), std::uint64_t{0});
}

/// Rows of /proc/net/tcp with this local or remote port in this state: the kernel's own list.
std::uint64_t rows_of_kernel(const char* end, std::uint16_t port, int state) {
    std::ifstream file("/proc/net/tcp");
    std::string line, number, local, remote, shown;
    std::uint64_t rows = 0;
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        fields >> number >> local >> remote >> shown;
        const std::string& address = end == std::string("local") ? local : remote;
        const auto colon = address.find(':');
        rows += colon != std::string::npos && std::stoi(address.substr(colon + 1), nullptr, 16) == port &&
                std::stoi(shown, nullptr, 16) == state;
    }
    return rows;
}

/// What the kernel has counted for the socket.
std::uint64_t retransmits_of(int fd) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    check_step(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0, 60);
    return info.tcpi_total_retrans;
}

constexpr int kConnections = 13, kClosedFirst = 5;

/// Accepts all, and on the next word closes all.
Child serve(const Cgroup& cgroup) {
    return {cgroup, [](const Parent& parent) {
                const int listener = listen_on({AF_INET, false, 0}, kConnections);
                parent.tell(port_of(listener));
                for (int i = 0; i < kConnections; i++) {
                    accept_one(listener);
                }
                parent.tell(1);
                parent.wait();
                return 0;
            }};
}

/// Makes the connections, closes its side of some of them, ends.
Child use(const Cgroup& cgroup, std::uint16_t port) {
    return {cgroup, [port](const Parent& parent) {
                std::array<int, kConnections> fds{};
                for (int& fd : fds) {
                    fd = connect_to({AF_INET, false, port});
                }
                parent.tell(1);
                parent.wait();
                for (int i = 0; i < kClosedFirst; i++) {
                    shutdown(fds.at(i),
                             SHUT_WR);  // a closed one would become a mere reminder of itself (time_wait)
                }
                parent.tell(1);
                parent.wait();
                return 0;
            }};
}

TEST_CASE(
    "13 connections between two containers are counted once on each side, and the gauge is what the kernel "
    "lists") {
    const bool before = GENERATE(false, true);
    CAPTURE(before);
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2"), clean = tree.make("c3");
    std::optional<Agent> agent;
    if (!before) {
        agent.emplace(tree);
    }
    Child serving = serve(server);
    const auto port = static_cast<std::uint16_t>(serving.hear());
    Child using_it = use(client, port);
    REQUIRE(serving.hear() == 1);
    REQUIRE(using_it.hear() == 1);
    if (before) {
        agent.emplace(tree);
    }
    const std::uint64_t seen = before ? 0 : kConnections;
    const Reading open = agent->read();
    CHECK(in_state(open, server, "established") == rows_of_kernel("local", port, TCP_ESTABLISHED));
    CHECK(in_state(open, client, "established") == rows_of_kernel("remote", port, TCP_ESTABLISHED));
    CHECK(in_state(open, server, "established") == kConnections);
    CHECK(in_state(open, server, "listen") == 1);
    CHECK(in_state(open, client, "listen") == 0);
    CHECK(opened(open, server, "server") == seen);
    CHECK(opened(open, client, "client") == seen);
    CHECK(opened(open, server, "client") + opened(open, client, "server") == 0);
    CHECK(closed(open, client, "client") == 0);
    CHECK(observations(open, client, "container_tcp_connect_seconds") == seen);

    using_it.go();
    REQUIRE(using_it.hear() == 1);
    const Reading half = agent->read_until([&](const Reading& now) {  // the last packets take their time
        return in_state(now, server, "close_wait") == kClosedFirst &&
               in_state(now, client, "fin_wait2") == kClosedFirst;
    });
    CHECK(in_state(half, server, "close_wait") == kClosedFirst);
    CHECK(in_state(half, client, "fin_wait2") == kClosedFirst);
    CHECK(in_state(half, server, "established") == kConnections - kClosedFirst);
    CHECK(in_state(half, client, "established") == kConnections - kClosedFirst);

    serving.go();
    REQUIRE(serving.wait() == 0);
    using_it.go();
    REQUIRE(using_it.wait() == 0);
    const Reading gone = agent->read_until([&](const Reading& now) {
        return closed(now, server, "server") == kConnections && closed(now, client, "client") == kConnections;
    });
    CHECK(closed(gone, server, "server") == kConnections);
    CHECK(closed(gone, client, "client") == kConnections);
    CHECK(closed(gone, server, "client") + closed(gone, client, "server") == 0);
    for (const char* state : {"established", "close_wait", "fin_wait1", "fin_wait2", "last_ack", "listen"}) {
        CHECK(in_state(gone, server, state) == 0);
        CHECK(in_state(gone, client, state) == 0);
    }
    CHECK(observations(gone, client, "container_tcp_connection_seconds", quoted("role", "client")) == seen);
    CHECK(observations(gone, server, "container_tcp_connection_seconds", quoted("role", "server")) == seen);
    CHECK(observations(gone, client, "container_tcp_rtt_seconds", quoted("role", "client")) ==
          seen + kConnections);
    CHECK(observations(gone, server, "container_tcp_rtt_seconds", quoted("role", "server")) ==
          seen + kConnections);
    CHECK(opened(gone, clean, "client") + opened(gone, clean, "server") + closed(gone, clean, "server") == 0);
    if (agent->types->allows_fexit("inet_csk_accept")) {
        CHECK(observations(gone, server, "container_tcp_accept_seconds") == seen);
    }
}

TEST_CASE("a refused connection and a reset one are told apart, and whose reset it was") {
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    Child serving(server, [](const Parent& parent) {
        const int listener = listen_on({AF_INET, false, 0});
        parent.tell(port_of(listener));
        for (int i = 0; i < 3; i++) {
            const int fd = accept_one(listener);
            char byte = 0;
            check_step(recv(fd, &byte, 1, 0) < 0 && errno == ECONNRESET, 1);
            close(fd);
        }
        return 0;
    });
    const auto port = static_cast<std::uint16_t>(serving.hear());
    Child using_it(client, [port](const Parent&) {
        const int nobody = open_socket(AF_INET, SOCK_STREAM);
        bind_to(nobody, {AF_INET, false, 0});
        for (int i = 0; i < 7; i++) {
            const int fd = open_socket(AF_INET, SOCK_STREAM);
            check_step(connect_socket(fd, {AF_INET, false, port_of(nobody)}) < 0 && errno == ECONNREFUSED, 1);
            close(fd);
        }
        for (int i = 0; i < 3; i++) {
            const int fd = connect_to({AF_INET, false, port});
            const linger at_once{1, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
            close(fd);
        }
        return 0;
    });
    REQUIRE(using_it.wait() == 0);
    REQUIRE(serving.wait() == 0);
    const Reading reading = agent.read();
    CHECK(failed(reading, client, "refused") == 7);
    CHECK(failed(reading, client, "other") == 0);
    CHECK(opened(reading, client, "client") == 3);
    CHECK(closed(reading, client, "client") == 3);
    CHECK(closed(reading, server, "server") == 3);
    CHECK(resets(reading, client, "received") == 7);
    CHECK(resets(reading, client, "sent") == 3);
    CHECK(resets(reading, server, "received") == 3);
    CHECK(resets(reading, server, "sent") == 0);
}

TEST_CASE("a listener that is not asked to accept drops: the client sends again, gives up or times out") {
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    Child serving(server, [](const Parent& parent) {
        const int listener = listen_on({AF_INET, false, 0}, 0);
        parent.tell(port_of(listener));
        parent.wait();
        return 0;
    });
    const auto port = static_cast<std::uint16_t>(serving.hear());
    Child using_it(client, [port](const Parent& parent) {
        const Address address{AF_INET, false, port};
        const int first = connect_to(address);  // fills the backlog of 0, which is one connection
        const int given_up = open_socket(AF_INET, SOCK_STREAM);
        fcntl(given_up, F_SETFL, O_NONBLOCK);
        check_step(connect_socket(given_up, address) < 0 && errno == EINPROGRESS, 1);
        parent.tell(1);
        parent.wait();
        std::uint64_t retransmits = retransmits_of(given_up);
        close(given_up);
        const int times_out = open_socket(AF_INET, SOCK_STREAM);
        const int tries = 1;
        setsockopt(times_out, IPPROTO_TCP, TCP_SYNCNT, &tries, sizeof(tries));
        fcntl(times_out, F_SETFL, O_NONBLOCK);  // a failed connect() that waits forgets its retransmits
        check_step(connect_socket(times_out, address) < 0 && errno == EINPROGRESS, 2);
        pollfd wait_for{times_out, POLLOUT, 0};
        check_step(poll(&wait_for, 1, 60'000) == 1, 3);
        retransmits += retransmits_of(times_out);
        int error = 0;
        socklen_t size = sizeof(error);
        getsockopt(times_out, SOL_SOCKET, SO_ERROR, &error, &size);
        check_step(error == ETIMEDOUT, 4);
        close(first);
        parent.tell(retransmits);
        return 0;
    });
    REQUIRE(using_it.hear() == 1);
    CHECK(in_state(agent.read(), client, "syn_sent") == 1);
    using_it.go();
    const std::uint64_t retransmits = using_it.hear();
    CAPTURE(retransmits);
    REQUIRE(retransmits > 0);
    REQUIRE(using_it.wait() == 0);
    const Reading reading = agent.read();
    CHECK(failed(reading, client, "timeout") == 1);
    CHECK(failed(reading, client, "other") == 1);
    CHECK(opened(reading, client, "client") == 1);
    CHECK(reading.value(client, "container_tcp_retransmits_total") == retransmits);
    CHECK(reading.value(server, "container_tcp_retransmits_total") == 0);
    // each of the two sent its first packet and its retransmits, for nothing
    CHECK(reading.value(server, "container_tcp_listen_drops_total", quoted("reason", "overflow")) ==
          2 + retransmits);
    CHECK(reading.value(server, "container_tcp_listen_drops_total", quoted("reason", "other")) == 0);
    serving.go();
    REQUIRE(serving.wait() == 0);
}

TEST_CASE(
    "what happens to a socket after its container is gone counts for nobody, whoever has the slot then") {
    const CgroupTree tree;
    const Cgroup server = tree.make("other");
    Agent agent(tree, {.max = 1, .provisional = 1});
    Child serving = serve(server);
    const auto port = static_cast<std::uint16_t>(serving.hear());
    const Cgroup first = tree.make("c1");
    Child using_it = use(first, port);
    REQUIRE(serving.hear() == 1);
    REQUIRE(using_it.hear() == 1);
    CgroupTree::move(using_it.pid(), server);  // its sockets stay the first container's
    const Reading moved = agent.read();
    CHECK(opened(moved, first, "client") == kConnections);
    CHECK(in_state(moved, first, "established") == kConnections);
    tree.remove(first);
    agent.read_until([&](const Reading&) { return agent.has_drained(); });
    const Cgroup second = tree.make("c2");
    agent.settle();
    using_it.go();
    REQUIRE(using_it.hear() == 1);
    using_it.go();
    REQUIRE(using_it.wait() == 0);
    const Reading reading = agent.read();
    REQUIRE(agent.find(second) != nullptr);
    CHECK(closed(reading, second, "client") == 0);
    CHECK(opened(reading, second, "client") == 0);
    CHECK(in_state(reading, second, "established") == 0);
    CHECK(opened(reading, first, "client") == kConnections);
}

}  // namespace
}  // namespace plimsoll::bpf_test
