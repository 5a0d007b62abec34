// SPDX-License-Identifier: Apache-2.0
#include "core/peer_names.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

namespace plimsoll {
namespace {

peer_key key_of(plimsoll_peer_kind kind, const char* address, std::uint16_t port, std::uint32_t netns = 1) {
    peer_key key{};
    key.netns = netns;
    key.port = port;
    key.kind = static_cast<__u8>(kind);
    std::memcpy(key.words, parse_address(address).value().bytes.data(), sizeof(key.words));
    return key;
}

peer_key remote(const char* address, std::uint16_t port, std::uint32_t netns = 1) {
    return key_of(PEER_REMOTE, address, port, netns);
}
peer_key local(const char* address, std::uint16_t port, std::uint32_t netns = 1) {
    return key_of(PEER_LOCAL, address, port, netns);
}

peer_name socket_called(std::string_view text) {
    peer_name name{};
    name.size = static_cast<__u32>(text.size());
    std::ranges::copy(text, name.text);
    return name;
}

peer_name path_of(std::vector<std::string> parts) {
    peer_name name{};
    name.parts = static_cast<__u32>(parts.size());
    for (std::size_t i = 0; i < parts.size(); i++) {
        std::ranges::copy(parts[i], name.text + i * PEER_NAME_PART);
    }
    return name;
}

TEST_CASE("a peer is called by where it is") {
    CHECK(peer_text(remote("10.0.0.5", 5432), {}) == "10.0.0.5:5432");
    CHECK(peer_text(remote("2001:db8::1", 443), {}) == "[2001:db8::1]:443");
    CHECK(peer_text(local("10.0.0.5", 80), {}) == ":80");
    peer_key socket{};
    socket.kind = PEER_UNIX;
    CHECK(peer_text(socket, socket_called(std::string_view("/run/a.sock\0", 12))) == "/run/a.sock");
    CHECK(peer_text(socket, socket_called(std::string_view("\0bus\0x", 6))) == "@bus@x");
    CHECK(peer_text(socket, {}) == "?");
    peer_key fifo{};
    fifo.kind = PEER_FIFO;
    CHECK(peer_text(fifo, {}) == "?");
    CHECK(peer_text(fifo, path_of({"fifo", "app", "run"})) == "/run/app/fifo");
    CHECK(peer_text(fifo, path_of({"8", "7", "6", "5", "4", "3", "2", "1"})) == "…/1/2/3/4/5/6/7/8");
}

struct Fixture {
    Config::Peers config;
    LocalServices services;

    std::string label(const peer_key& key, const std::string& server = "", const std::string& text = "") {
        return PeerNames(config).label(key, text.empty() ? peer_text(key, {}) : text, server, services);
    }
};

TEST_CASE_METHOD(Fixture, "a service of this host is called by its container") {
    services.add(local("172.17.0.2", 6379), "redis");
    CHECK(label(remote("172.17.0.2", 6379, 2)) == "redis");
    CHECK(label(remote("172.17.0.2", 6380, 2)) == "172.17.0.2:6380");
    CHECK(label(local("172.17.0.2", 6379)) == ":6379");
}

TEST_CASE_METHOD(Fixture, "loopback means something in one namespace only") {
    services.add(local("127.0.0.1", 80, 1), "web");
    services.add(local("::1", 80, 2), "other-web");
    CHECK(label(remote("127.0.0.1", 80, 1)) == "web");
    CHECK(label(remote("127.0.0.1", 80, 2)) == "127.0.0.1:80");
    CHECK(label(remote("::1", 80, 2)) == "other-web");
}

TEST_CASE_METHOD(Fixture, "an address that two containers serve at is neither's") {
    services.add(local("10.88.0.2", 80, 1), "one");
    services.add(local("10.88.0.2", 80, 1), "one");
    CHECK(label(remote("10.88.0.2", 80)) == "one");
    services.add(local("10.88.0.2", 80, 2), "two");
    services.add(local("10.88.0.2", 80, 1), "one");
    CHECK(label(remote("10.88.0.2", 80)) == "10.88.0.2:80");
}

TEST_CASE_METHOD(Fixture, "the configuration comes first, networks last") {
    config.names = {{"10.0.0.5:5432", "orders-db"}, {":80", "web"}, {"/run/a.sock", "a"}};
    config.networks = {{*parse_network("10.0.0.0/16"), "near"}, {*parse_network("10.0.0.0/8"), "internal"}};
    services.add(local("10.0.0.5", 5432), "pg");
    services.add(local("10.0.0.6", 5432), "pg");
    CHECK(label(remote("10.0.0.5", 5432)) == "orders-db");
    CHECK(label(remote("10.0.0.6", 5432)) == "pg");
    CHECK(label(remote("10.0.0.7", 5432)) == "near");
    CHECK(label(remote("10.1.0.7", 5432)) == "internal");
    CHECK(label(remote("11.0.0.7", 5432)) == "11.0.0.7:5432");
    CHECK(label(local("10.0.0.7", 80)) == "web");
    CHECK(label(local("10.0.0.7", 81)) == ":81");
    peer_key socket{};
    socket.kind = PEER_UNIX;
    CHECK(label(socket, "mysql", "/run/a.sock") == "a");
    CHECK(label(socket, "mysql", "/run/b.sock") == "mysql:/run/b.sock");
    CHECK(label(socket, "", "/run/b.sock") == "/run/b.sock");
}

TEST_CASE_METHOD(Fixture, "nobody is called what stands for several") {
    services.add(local("10.0.0.1", 1), "other");
    services.add(local("10.0.0.2", 1), "unattributed");
    CHECK(label(remote("10.0.0.1", 1)) == "10.0.0.1:1");
    CHECK(label(remote("10.0.0.2", 1)) == "10.0.0.2:1");
    peer_key socket{};
    socket.kind = PEER_UNIX;
    CHECK(label(socket, "", peer_text(socket, socket_called("other"))) == "./other");
    CHECK(label(socket, "", peer_text(socket, socket_called("unattributed"))) == "./unattributed");
    CHECK(label(socket, "", peer_text(socket, socket_called("others"))) == "others");
}

}  // namespace
}  // namespace plimsoll
