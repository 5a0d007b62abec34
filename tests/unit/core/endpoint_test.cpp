// SPDX-License-Identifier: Apache-2.0
#include "core/endpoint.h"

#include <catch2/catch.hpp>

namespace plimsoll {
namespace {

std::string rewritten(const char* text) {
    const auto endpoint = parse_endpoint(text);
    return endpoint ? to_string(*endpoint) : "refused";
}

TEST_CASE("an address has one way to be written") {
    CHECK(rewritten("10.0.0.5:5432") == "10.0.0.5:5432");
    CHECK(rewritten("[::ffff:10.0.0.5]:5432") == "10.0.0.5:5432");
    CHECK(rewritten("[::FFFF:0a00:0005]:5432") == "10.0.0.5:5432");
    CHECK(rewritten("[2001:db8:0:0::1]:1") == "[2001:db8::1]:1");
    CHECK(rewritten("[::]:65535") == "[::]:65535");
    CHECK(rewritten(":80") == ":80");
}

TEST_CASE("what is no endpoint is refused") {
    for (const char* text : {"",
                             ":",
                             "80",
                             "10.0.0.5",
                             "10.0.0.5:",
                             "10.0.0.5:0",
                             "10.0.0.5:65536",
                             "10.0.0.5:-1",
                             "10.0.0.5:x",
                             "10.0.0.5: 1",
                             "10.0.0.5:080",
                             "10.0.0:1",
                             "10.0.0.256:1",
                             "2001:db8::1:80",
                             "[10.0.0.5]:80",
                             "[::1:80",
                             "::1]:80",
                             "[]:80",
                             "host:80",
                             "[fe80::1%eth0]:80"}) {
        CAPTURE(text);
        CHECK(rewritten(text) == "refused");
    }
}

bool inside(const char* network, const char* address) {
    return parse_network(network).value().contains(parse_address(address).value());
}

TEST_CASE("a network contains what begins with its bits") {
    CHECK(inside("10.0.0.0/8", "10.255.255.255"));
    CHECK_FALSE(inside("10.0.0.0/8", "11.0.0.0"));
    CHECK(inside("10.64.0.0/10", "10.127.1.1"));
    CHECK_FALSE(inside("10.64.0.0/10", "10.128.0.0"));
    CHECK(inside("10.0.0.5", "::ffff:10.0.0.5"));
    CHECK_FALSE(inside("10.0.0.5/32", "10.0.0.4"));
    CHECK(inside("0.0.0.0/0", "1.2.3.4"));
    CHECK_FALSE(inside("0.0.0.0/0", "2001:db8::1"));
    CHECK(inside("::/0", "1.2.3.4"));
    CHECK(inside("fc00::/7", "fd01::1"));
    CHECK(inside("2001:db8::1", "2001:db8::1"));
    CHECK_FALSE(inside("2001:db8::/127", "2001:db8::2"));
}

TEST_CASE("what is no network is refused") {
    for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8/8", "10.0.0.0/x",
                             "10/8", "fd00::/129", "fd00::1/64", "net/8"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_network(text));
    }
}

TEST_CASE("loopback is known in both families") {
    CHECK(parse_address("127.0.0.53")->is_loopback());
    CHECK(parse_address("::1")->is_loopback());
    CHECK_FALSE(parse_address("128.0.0.1")->is_loopback());
    CHECK_FALSE(parse_address("::")->is_loopback());
}

}  // namespace
}  // namespace plimsoll
