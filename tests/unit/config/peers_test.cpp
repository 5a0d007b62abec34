// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "core/endpoint.h"
#include "parse_test_support.h"

namespace plimsoll::config_test {
namespace {

TEST_CASE("peers get names, networks are read in order") {
    const Config config = parsed(
        "peers:\n  max: 7\n"
        "  names: {\"10.0.0.5:5432\": orders-db, \"[2001:DB8:0::1]:443\": shop, \":80\": web, /run/a.sock: "
        "a}\n"
        "  networks: [10.0.0.0/8: internal, \"fd00::/8\": internal]\n");
    CHECK(config.peers.max == 7);
    CHECK(config.peers.names == std::map<std::string, std::string>{{"10.0.0.5:5432", "orders-db"},
                                                                   {"[2001:db8::1]:443", "shop"},
                                                                   {":80", "web"},
                                                                   {"/run/a.sock", "a"}});
    CHECK(config.peers.networks == std::vector<PeerNetwork>{{*parse_network("10.0.0.0/8"), "internal"},
                                                            {*parse_network("fd00::/8"), "internal"}});
}

TEST_CASE("no peer is given a name that stands for several") {
    CHECK(
        errors_of("peers:\n  names: {\"10.0.0.5:5432\": other}\n  networks: [10.0.0.0/8: unattributed]\n") ==
        ConfigErrors{"c.yaml:2:28: peers.names.10.0.0.5:5432: \"other\" stands for several peers; allowed: "
                     "another name",
                     "c.yaml:3:26: peers.networks[0].10.0.0.0/8: \"unattributed\" stands for several peers; "
                     "allowed: another name"});
}

TEST_CASE("every mistake below peers is named, with its place") {
    CHECK(errors_of("peers:\n  max: 0\n  names: {\"10.0.0.5\": a, \":80\": web, \"[::ffff:10.0.0.5]:1\": b, "
                    "\"10.0.0.5:1\": c}\n  networks: [10.0.0.0/8, {10.0.0.1/8: x}, {a: b, c: d}]\n") ==
          ConfigErrors{
              "c.yaml:2:8: peers.max: \"0\"; allowed: a whole number from 1 to 1000",
              "c.yaml:3:23: peers.names.10.0.0.5: \"10.0.0.5\" is no peer; allowed: an address and a port "
              "(10.0.0.5:5432, [2001:db8::1]:5432), :port, or the path of a unix socket or FIFO",
              "c.yaml:3:78: peers.names.10.0.0.5:1: \"10.0.0.5:1\" has a name already; allowed: one name for "
              "each",
              "c.yaml:4:14: peers.networks[0]: \"10.0.0.0/8\"; allowed: one network with its name, such as "
              "10.0.0.0/8: internal",
              "c.yaml:4:39: peers.networks[1].10.0.0.1/8: \"10.0.0.1/8\" is no network; allowed: an address "
              "and "
              "the length of its prefix, with no bits behind it (10.0.0.0/8, fd00::/8)",
              "c.yaml:4:43: peers.networks[2]: a mapping; allowed: one network with its name, such as "
              "10.0.0.0/8: internal"});
}

}  // namespace
}  // namespace plimsoll::config_test
