// SPDX-License-Identifier: Apache-2.0
#include "config/connection_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "parse_test_support.h"

namespace plimsoll {
namespace {

using config_test::errors_of;
using config_test::parsed;

std::string bytes_of(std::string_view text) {
    const auto target = parse_connection_address(text);
    return target ? std::string(reinterpret_cast<const char*>(&*target), sizeof(*target)) : "refused";
}

/// The address as IPv6 writes it, and the port.
std::string shown(std::string_view text) {
    const auto target = parse_connection_address(text);
    if (!target) {
        return "refused";
    }
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(AF_INET6, target->address, buffer.data(), buffer.size());
    return std::string(buffer.data()) + " " + std::to_string(ntohs(target->port));
}

TEST_CASE("an address of connects_to is IPv4, IPv6 or any, with a port") {
    CHECK(shown("10.0.0.5:5432") == "::ffff:10.0.0.5 5432");
    CHECK(shown("[2001:db8::1]:1") == "2001:db8::1 1");
    CHECK(shown("*:65535") == ":: 65535");
    CHECK(bytes_of(":80") == bytes_of("*:80"));
    CHECK(bytes_of("[::ffff:10.0.0.5]:80") == bytes_of("10.0.0.5:80"));
    CHECK(bytes_of("[2001:DB8:0::1]:80") == bytes_of("[2001:db8::1]:80"));
    CHECK(bytes_of("10.0.0.5:80") != bytes_of("10.0.0.5:81"));
}

TEST_CASE("what is no address of connects_to is refused with what is one") {
    for (const auto* text : {"",
                             "5432",
                             "10.0.0.5",
                             "10.0.0.5:",
                             "10.0.0.5:0",
                             "10.0.0.5:x",
                             "10.0.0.5:65536",
                             "10.0.0.5:-1",
                             "10.0.0.5:0080",
                             "10.0.0:80",
                             "10.0.0.256:80",
                             "db:5432",
                             "localhost:80",
                             "0.0.0.0:80",
                             "[::]:80",
                             "[::ffff:0.0.0.0]:80",
                             "::1:80",
                             "2001:db8::1",
                             "[2001:db8::1]",
                             "[]:80",
                             "[10.0.0.5]:80",
                             "[fe80::1%eth0]:80",
                             "10.0.0.5:80 ",
                             "**:80",
                             "10.0.0.*:80",
                             "tcp://10.0.0.5:80"}) {
        INFO(text);
        CHECK(errors_of("containers: {include: [{connects_to: \"" + std::string(text) + "\"}]}") ==
              ConfigErrors{"c.yaml:1:38: containers.include[0].connects_to: the quoted text \"" +
                           std::string(text) +
                           "\"; allowed: address:port or [v6 address]:port, no names, or *:port for any "
                           "address, port 1 to 65535"});
    }
    CHECK(errors_of("containers:\n  exclude:\n  - connects_to: \"10.0.0.5:80\"") ==
          ConfigErrors{
              "c.yaml:3:5: unknown key \"connects_to\" in containers.exclude[0]; allowed: name, image, "
              "runtime, cgroup, label"});
}

TEST_CASE("each address that rules name has one number") {
    const auto containers = parsed(R"(
containers:
  include:
    - name: a
    - {connects_to: "10.0.0.5:80", name: a}
    - connects_to: ":80"
    - connects_to: "[::ffff:10.0.0.5]:80"
)")
                                .containers;
    const auto targets = connection_targets(containers);
    REQUIRE(targets.size() == 2);
    CHECK(target_number(containers.include[0], targets) == std::nullopt);
    CHECK(target_number(containers.include[1], targets) == 0);
    CHECK(target_number(containers.include[2], targets) == 1);
    CHECK(target_number(containers.include[3], targets) == 0);
    CHECK(connection_targets({}).empty());
}

}  // namespace
}  // namespace plimsoll
