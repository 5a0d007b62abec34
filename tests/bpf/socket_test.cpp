// SPDX-License-Identifier: Apache-2.0
// Bytes and messages through sockets: exact numbers by protocol, role and direction, each container apart.
#include <catch2/catch.hpp>

#include "agent.h"
#include "child.h"
#include "traffic.h"

namespace plimsoll::bpf_test {
namespace {

Child serve(const Cgroup& cgroup, Address address) {
    return {cgroup, [address](const Parent& parent) {
                const int listener = listen_on(address);
                parent.tell(port_of(listener));
                const int fd = accept_one(listener);
                close(listener);  // roles do not hang on it
                parent.wait();
                answer(fd);
                return 0;
            }};
}

Child use(const Cgroup& cgroup, Address address) {
    return {cgroup, [address](const Parent& parent) {
                const int fd = connect_to(address);
                parent.tell(1);
                parent.wait();
                ask(fd);
                return 0;
            }};
}

TEST_CASE("bytes over TCP are counted by role, whether connected before the agent or after") {
    const auto address =
        GENERATE(Address{AF_INET, false, 0}, Address{AF_INET6, false, 0}, Address{AF_INET6, true, 0});
    const bool before = GENERATE(false, true);
    CAPTURE(address.family, address.mapped, before);
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2"), other = tree.make("other");
    std::optional<Agent> agent;
    if (!before) {
        agent.emplace(tree);
    }
    Child listening = serve(server, address), bystander_listening = serve(other, address);
    Child connected =
        use(client, {address.family, address.mapped, static_cast<std::uint16_t>(listening.hear())});
    Child bystander =
        use(other, {address.family, address.mapped, static_cast<std::uint16_t>(bystander_listening.hear())});
    REQUIRE(connected.hear() == 1);
    REQUIRE(bystander.hear() == 1);
    if (before) {
        agent.emplace(tree);
    }
    for (auto* child : {&listening, &connected, &bystander_listening, &bystander}) {
        child->go();
    }
    for (auto* child : {&listening, &connected, &bystander_listening, &bystander}) {
        REQUIRE(child->wait() == 0);
    }
    const Reading reading = agent->read();
    CHECK(traffic(reading, client, "tcp", "client", "write") == kAsked);
    CHECK(traffic(reading, client, "tcp", "client", "read") == kAnswered);
    CHECK(traffic(reading, server, "tcp", "server", "read") == kAsked);
    CHECK(traffic(reading, server, "tcp", "server", "write") == kAnswered);
    CHECK(all_traffic(reading, client) == Traffic{480, 52});
    CHECK(all_traffic(reading, server) == Traffic{480, 52});
}

TEST_CASE("a client that chose its own address is a client, with a port of its choice or without") {
    const bool fixed = GENERATE(false, true);
    CAPTURE(fixed);
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    Child listening = serve(server, {AF_INET, false, 0});
    const auto port = static_cast<std::uint16_t>(listening.hear());
    Child connected(client, [&](const Parent& parent) {
        Address own{AF_INET, false, 0};
        const int fd = open_socket(AF_INET, SOCK_STREAM);
        if (fixed) {  // a number that was free a moment ago
            const int trial = open_socket(AF_INET, SOCK_STREAM);
            bind_to(trial, own);
            own.port = port_of(trial);
            close(trial);
        }
        bind_to(fd, own);
        check_step(connect_socket(fd, {AF_INET, false, port}) == 0, 1);
        parent.tell(1);
        ask(fd);
        return 0;
    });
    listening.go();
    REQUIRE(connected.wait() == 0);
    REQUIRE(listening.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, client, "tcp", "client", "write") == kAsked);
    CHECK(all_traffic(reading, client) == Traffic{480, 52});
    CHECK(traffic(reading, server, "tcp", "server", "write") == kAnswered);
}

TEST_CASE(
    "calls that move nothing count nothing: EAGAIN, the end of a stream, errors; a look ahead neither") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent&) {
        const int listener = listen_on({AF_INET, false, 0});
        const int client = connect_to({AF_INET, false, port_of(listener)});
        const int server = accept_one(listener);
        std::array<char, 64> data{};
        check_step(recv(server, data.data(), data.size(), MSG_DONTWAIT) < 0 && errno == EAGAIN, 1);
        check_step(write(client, data.data(), 13) == 13, 2);
        check_step(recv(server, data.data(), data.size(), MSG_PEEK) == 13, 3);
        check_step(recv(server, data.data(), data.size(), MSG_PEEK) == 13, 4);
        check_step(read(server, data.data(), 5) == 5, 5);  // a short read
        check_step(read(server, data.data(), data.size()) == 8, 6);
        check_step(shutdown(client, SHUT_WR) == 0, 7);
        check_step(read(server, data.data(), data.size()) == 0, 8);
        check_step(send(client, data.data(), 1, MSG_NOSIGNAL) < 0 && errno == EPIPE, 9);
        return 0;
    });
    REQUIRE(child.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, cgroup, "tcp", "client", "write") == Traffic{13, 1});
    CHECK(traffic(reading, cgroup, "tcp", "server", "read") == Traffic{13, 2});
    CHECK(all_traffic(reading, cgroup) == Traffic{26, 3});
}

TEST_CASE("a role outlives its connection: what is read after both sides have closed still is the client's") {
    const CgroupTree tree;
    const Cgroup cgroup = tree.make("c1");
    Agent agent(tree);
    Child child(cgroup, [](const Parent& parent) {
        const int listener = listen_on({AF_INET, false, 0});
        const int client = connect_to({AF_INET, false, port_of(listener)});
        const int server = accept_one(listener);
        shutdown(client, SHUT_WR);
        send_times(server, 1, 17);
        close(server);
        parent.tell(1);
        parent.wait();
        receive_times(client, 1, 17);
        return 0;
    });
    REQUIRE(child.hear() == 1);
    child.go();
    REQUIRE(child.wait() == 0);
    CHECK(traffic(agent.read(), cgroup, "tcp", "client", "read") == Traffic{17, 1});
}

TEST_CASE(
    "datagrams are a server's on a port that was asked for, a client's elsewhere; each of a batch counts") {
    const auto family = GENERATE(AF_INET, AF_INET6);
    CAPTURE(family);
    const CgroupTree tree;
    const Cgroup server = tree.make("c1"), client = tree.make("c2");
    Agent agent(tree);
    Child serving(server, [family](const Parent& parent) {
        Address address{family, false, 0};
        const int trial = open_socket(family, SOCK_DGRAM);
        bind_to(trial, address);
        address.port = port_of(trial);
        close(trial);
        const int fd = open_socket(family, SOCK_DGRAM);
        bind_to(fd, address);
        parent.tell(address.port);
        sockaddr_storage from{};
        socklen_t size = sizeof(from);
        std::array<char, 100> data{};
        for (int i = 0; i < 13; i++) {
            check_step(
                recvfrom(fd, data.data(), data.size(), 0, reinterpret_cast<sockaddr*>(&from), &size) == 19,
                1);
        }
        check_step(sendto(fd, data.data(), 0, 0, reinterpret_cast<const sockaddr*>(&from), size) == 0, 2);
        std::array<mmsghdr, 7> messages{};
        iovec vector{data.data(), data.size()};
        for (auto& message : messages) {
            message.msg_hdr.msg_iov = &vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        check_step(recvmmsg(fd, messages.data(), 7, MSG_WAITALL, nullptr) == 7, 3);
        return 0;
    });
    const auto port = static_cast<std::uint16_t>(serving.hear());
    Child using_it(client, [family, port](const Parent&) {
        const int fd = open_socket(family, SOCK_DGRAM);
        sockaddr_storage to{};
        const socklen_t size = Address{family, false, port}.fill(to);
        std::array<char, 100> data{};
        for (int i = 0; i < 13; i++) {
            check_step(sendto(fd, data.data(), 19, 0, reinterpret_cast<const sockaddr*>(&to), size) == 19, 1);
        }
        check_step(recv(fd, data.data(), data.size(), 0) == 0, 2);
        const int connected = connect_to({family, false, port}, SOCK_DGRAM);
        std::array<mmsghdr, 7> messages{};
        iovec vector{data.data(), 31};
        for (auto& message : messages) {
            message.msg_hdr.msg_iov = &vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        check_step(sendmmsg(connected, messages.data(), 7, 0) == 7, 3);
        return 0;
    });
    REQUIRE(using_it.wait() == 0);
    REQUIRE(serving.wait() == 0);
    const Reading reading = agent.read();
    CHECK(traffic(reading, client, "udp", "client", "write") == Traffic{13 * 19 + 7 * 31, 20});
    CHECK(traffic(reading, client, "udp", "client", "read") == Traffic{0, 1});
    CHECK(traffic(reading, server, "udp", "server", "read") == Traffic{13 * 19 + 7 * 31, 20});
    CHECK(traffic(reading, server, "udp", "server", "write") == Traffic{0, 1});
    CHECK(all_traffic(reading, client).operations == 21);
    CHECK(all_traffic(reading, server).operations == 21);
}

}  // namespace
}  // namespace plimsoll::bpf_test
