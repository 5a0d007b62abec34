// SPDX-License-Identifier: Apache-2.0
#include "files/net_dev.h"

#include <catch2/catch.hpp>

#include <string>

namespace plimsoll {
namespace {

const std::string kHeader =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
    "carrier compressed\n";

TEST_CASE("each interface has its eight counters, in the order of the file") {
    const std::string text = kHeader +
                             "    lo:   29   23    0    0    0     0          0         0       31   37    0 "
                             "   0    0     0       0          0\n"
                             "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    const auto interfaces = parse_net_dev(text);
    REQUIRE(interfaces);
    REQUIRE(interfaces->size() == 2);
    CHECK((*interfaces)[0].name == "lo");
    CHECK((*interfaces)[0].counters == NetCounters{29, 23, 0, 0, 31, 37, 0, 0});
    CHECK((*interfaces)[1].name == "eth0");
    CHECK((*interfaces)[1].counters == NetCounters{1, 2, 3, 4, 9, 10, 11, 12});
}

TEST_CASE("names may be long, have colons, or touch the first number") {
    const std::string numbers = "18446744073709551615 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    for (const std::string name :
         {"abcdefghijklmno", "eth0", "fe80::1", "a:b", "eth0.100", "-", "\xff\x01"}) {
        for (const std::string space : {"", " "}) {
            const std::string text = kHeader + name + ":" + space + numbers;
            INFO(text);
            const auto interfaces = parse_net_dev(text);
            REQUIRE(interfaces);
            REQUIRE(interfaces->size() == 1);
            CHECK((*interfaces)[0].name == name);
            CHECK((*interfaces)[0].counters[NetColumn::receive_bytes] == 18446744073709551615U);
            CHECK((*interfaces)[0].counters[NetColumn::transmit_dropped] == 12);
        }
    }
}

TEST_CASE("a namespace without interfaces is one") {
    CHECK(parse_net_dev(kHeader)->empty());
    CHECK(parse_net_dev("")->empty());
}

TEST_CASE("one line that is not right makes all of them worthless") {
    const std::string right = "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
    for (const std::string wrong :
         {"eth1: 1 2 3\n", "eth1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
          ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "eth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x\n",
          "eth1: 18446744073709551616 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
          "eth1: -1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
          "eth1: 1x 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "\n", "eth1:\n",
          "eth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"}) {
        INFO(wrong);
        CHECK_FALSE(parse_net_dev(kHeader + right + wrong));
        CHECK(parse_net_dev(kHeader + right)->size() == 1);
    }
}

TEST_CASE("what cAdvisor leaves out is left out") {
    for (const auto* name :
         {"lo", "LO", "lo0", "veth1a2b", "Veth", "docker0", "docker_gwbridge", "lowpan0"}) {
        CHECK(is_left_out(name));
    }
    for (const auto* name : {"eth0", "l", "vet", "wlan0", "br-docker", "cali1", "xlo", ""}) {
        CHECK_FALSE(is_left_out(name));
    }
}

}  // namespace
}  // namespace plimsoll
