// SPDX-License-Identifier: Apache-2.0
// Rules with connects_to: who connects there has a slot at once, exact numbers from the first connection on.
#include <catch2/catch.hpp>

#include "agent.h"
#include "child.h"
#include "traffic.h"

namespace plimsoll::bpf_test {
namespace {

constexpr int kConnections = 13;

/// Accepts everybody and talks to one after another; belongs to nobody.
struct Server {
    explicit Server(const CgroupTree& tree, Address address = {AF_INET, false, 0},
                    const char* name = "server")
        : home(tree.make(name)), child(home, [address](const Parent& parent) {
              const int listener = listen_on(address, kConnections);
              parent.tell(port_of(listener));
              while (true) {
                  const int fd = accept_one(listener);
                  answer(fd);
                  close(fd);
              }
              return 0;
          }) {
        port = static_cast<std::uint16_t>(child.hear());
    }
    [[nodiscard]] std::string at(const std::string& host) const { return host + ":" + std::to_string(port); }

    Cgroup home;
    Child child;
    std::uint16_t port = 0;
};

Child use(const Cgroup& cgroup, Address address, int connections = kConnections) {
    return {cgroup, [=](const Parent& parent) {
                parent.wait();
                for (int i = 0; i < connections; i++) {
                    const int fd = connect_to(address);
                    ask(fd);
                    close(fd);
                }
                return 0;
            }};
}

void check_all(const Reading& reading, const Cgroup& cgroup, std::uint64_t connections) {
    CHECK(reading.value(cgroup, "container_tcp_connections_opened_total", R"(role="client")") == connections);
    CHECK(traffic(reading, cgroup, "tcp", "client", "write") ==
          Traffic{kAsked.bytes * connections, kAsked.operations * connections});
    CHECK(traffic(reading, cgroup, "tcp", "client", "read") ==
          Traffic{kAnswered.bytes * connections, kAnswered.operations * connections});
    CHECK(all_traffic(reading, cgroup).operations ==
          (kAsked.operations + kAnswered.operations) * connections);
    CHECK(reading.sum_ns(cgroup) == reading.lifetime_ns(cgroup));
}

TEST_CASE("who connects to an address of a rule is a container with its first connection, and nobody else") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    const auto address =
        GENERATE(Address{AF_INET, false, 0}, Address{AF_INET6, false, 0}, Address{AF_INET6, true, 0});
    CAPTURE(channel, address.family, address.mapped);
    const CgroupTree tree;
    const Server wanted(tree, address), other(tree, address, "other");
    const Cgroup one = tree.make("one"), two = tree.make("two"), known = tree.make("c1");
    const Address there{address.family, address.mapped, wanted.port};
    Agent agent(
        tree,
        {.channel = channel,
         .connects_to = {wanted.at(address.family == AF_INET6 && !address.mapped ? "[::1]" : "127.0.0.1")}});
    Child first = use(one, there), second = use(two, {address.family, address.mapped, other.port}),
          third = use(known, there);
    for (auto* child : {&first, &second, &third}) {
        child->go();
        REQUIRE(child->wait() == 0);
    }
    const Reading reading = agent.read();
    CHECK(agent.find(two) == nullptr);
    CHECK(agent.find(wanted.home) == nullptr);
    REQUIRE(agent.find(one) != nullptr);
    check_all(reading, one, kConnections);
    check_all(reading, known, kConnections);
    CHECK(reading.threads(one) == 0);
    CHECK(agent.count(EVENT_connection, one) == 1);
    CHECK(agent.count(EVENT_connection, two) == 0);
    for (const auto failures : agent.scope->failures()) {
        CHECK(failures == 0);
    }
}

TEST_CASE("a cgroup that was born, connected and ended before anybody heard of it is exact") {
    const auto channel = GENERATE(EventChannelKind::ringbuf, EventChannelKind::perf);
    const CgroupTree tree;
    const Server wanted(tree);
    Agent agent(tree, {.channel = channel, .connects_to = {wanted.at("127.0.0.1")}});
    const Cgroup brief = tree.make("brief"), silent = tree.make("silent");
    const Address there{AF_INET, false, wanted.port};
    for (const auto* cgroup : {&brief, &silent}) {
        Child child = use(*cgroup, there, cgroup == &brief ? 3 : 0);
        child.go();
        REQUIRE(child.wait() == 0);
        tree.remove(*cgroup);
    }
    const Reading reading = agent.read_until([&](const Reading&) { return agent.find(brief) != nullptr; });
    check_all(reading, brief, 3);
    CHECK(agent.find(brief)->ended_ns);
    CHECK(agent.find(silent) == nullptr);
    agent.settle(1'000'000'000);  // its slot has drained
    CHECK(agent.has_drained());
    check_all(agent.read(), brief, 3);
}

TEST_CASE("a cgroup that is refused once is not asked about again, and its slot is given back") {
    const CgroupTree tree;
    const Server wanted(tree);
    const Cgroup refused = tree.make("refused");
    Agent agent(tree, {.connects_to = {wanted.at("127.0.0.1")}, .exclude = "refused"});
    const std::size_t free = agent.registry->free_slots();
    for (int i = 0; i < 2; i++) {
        Child child = use(refused, {AF_INET, false, wanted.port}, 5);
        child.go();
        REQUIRE(child.wait() == 0);
        agent.settle();
    }
    CHECK(agent.find(refused) == nullptr);
    CHECK(agent.count(EVENT_connection, refused) == 1);
    agent.settle(1'000'000'000);
    CHECK(agent.registry->free_slots() == free);
    CHECK_FALSE(agent.scope->find(refused.id));
}

TEST_CASE("who is connected when the agent starts is a container") {
    const auto address = GENERATE(Address{AF_INET, false, 0}, Address{AF_INET6, false, 0});
    const CgroupTree tree;
    const Server wanted(tree, address);
    const Cgroup one = tree.make("one"), two = tree.make("two");
    const Address there{address.family, false, wanted.port};
    const auto connect_and_wait = [&](const Parent& parent) {
        const int fd = connect_to(there);
        parent.tell(1);
        parent.wait();
        ask(fd);
        return 0;
    };
    Child connected(one, connect_and_wait), idle(two, [](const Parent& parent) {
        parent.wait();
        return 0;
    });
    REQUIRE(connected.hear() == 1);
    Agent agent(tree, {.connects_to = {wanted.at("*")}});
    CHECK(agent.find(two) == nullptr);
    CHECK(agent.find(wanted.home) == nullptr);
    REQUIRE(agent.find(one) != nullptr);
    CHECK(agent.read().threads(one) == 1);
    connected.go();
    REQUIRE(connected.wait() == 0);
    CHECK(all_traffic(agent.read(), one) == Traffic{480, 52});
}

}  // namespace
}  // namespace plimsoll::bpf_test
