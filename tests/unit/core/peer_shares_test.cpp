// SPDX-License-Identifier: Apache-2.0
#include "core/peer_shares.h"

#include <catch2/catch.hpp>

#include <random>

namespace plimsoll {
namespace {

PeerValues waited(std::uint64_t ns) {
    return {.wait_ns = ns};
}

PeerShares::Reading reading(const std::string& account, std::uint64_t ns, const std::string& label = "") {
    return {account, label.empty() ? account : label, waited(ns)};
}

using Waits = std::map<std::string, std::uint64_t>;

Waits shown(PeerShares& shares, std::size_t most) {
    Waits result;
    for (const auto& peer : shares.show(most)) {
        CHECK(result.emplace(peer.label, peer.values.wait_ns).second);
    }
    return result;
}

TEST_CASE("every value is shown as it is") {
    PeerShares shares;
    const PeerValues all{.wait_ns = 2, .bytes = {3, 5}, .connections = 7, .errors = 11};
    shares.update(std::vector<PeerShares::Reading>{{"a", "db", all}}, {.wait_ns = 13, .bytes = {17, 19}});
    const auto peers = shares.show(50);
    REQUIRE(peers.size() == 1);
    CHECK(peers[0].label == "db");
    CHECK(peers[0].values == all);
    CHECK(shares.other() == PeerValues{.wait_ns = 13, .bytes = {17, 19}});
}

TEST_CASE("accounts of one name are one peer") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100, "db"), reading("b", 20, "db")}, {});
    CHECK(shown(shares, 1) == Waits{{"db", 120}});
    CHECK(shares.other() == PeerValues{});
}

TEST_CASE("those with the most are shown, the rest together") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 1), reading("b", 4), reading("c", 3), reading("d", 2)},
                  waited(10));
    CHECK(shown(shares, 2) == Waits{{"b", 4}, {"c", 3}});
    CHECK(shares.other().wait_ns == 1 + 2 + 10);
}

TEST_CASE("bytes weigh as much as the time they take") {
    PeerShares shares;
    shares.update(std::vector<PeerShares::Reading>{{"talks", "talks", {.bytes = {0, 11}}},
                                                   {"waits", "waits", waited(100)}},
                  {});
    CHECK(shown(shares, 1).contains("talks"));
}

TEST_CASE("somebody else is shown only with more than twice as much, and from 0") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100), reading("b", 90)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 100}});
    shares.update(std::vector{reading("a", 100), reading("b", 200)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 100}});
    CHECK(shares.other().wait_ns == 200);
    shares.update(std::vector{reading("a", 100), reading("b", 202)}, {});
    CHECK(shown(shares, 1) == Waits{{"b", 2}});
    CHECK(shares.other().wait_ns == 300);
}

TEST_CASE("a peer whose account is gone keeps what it had, and goes on when it is met again") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100), reading("b", 1)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 100}});
    shares.close("a");
    shares.close("b");
    shares.update({}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 100}});
    CHECK(shares.other().wait_ns == 1);
    shares.update(std::vector{reading("a", 7), reading("b", 2)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 107}});
    CHECK(shares.other().wait_ns == 3);
}

TEST_CASE("a peer of which one account of several is gone counts nothing twice") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100 + 30)}, {});
    shares.close("a", waited(30));
    shares.update(std::vector{reading("a", 30)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 130}});
    shares.update(std::vector{reading("a", 30 + 7)}, {});
    CHECK(shown(shares, 1) == Waits{{"a", 137}});
}

TEST_CASE("a peer that gets another name leaves what it had with the old one") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100, "10.0.0.5:80")}, {});
    CHECK(shown(shares, 5) == Waits{{"10.0.0.5:80", 100}});
    shares.update(std::vector{reading("a", 130, "shop")}, {});
    CHECK(shown(shares, 5) == Waits{{"10.0.0.5:80", 100}, {"shop", 30}});
}

TEST_CASE("a wait that is read a little shorter does not go back") {
    PeerShares shares;
    shares.update(std::vector{reading("a", 100)}, waited(50));
    shares.update(std::vector{reading("a", 98)}, waited(49));
    CHECK(shown(shares, 1) == Waits{{"a", 100}});
    CHECK(shares.other().wait_ns == 50);
    shares.update(std::vector{reading("a", 101)}, waited(51));
    CHECK(shown(shares, 1) == Waits{{"a", 101}});
    CHECK(shares.other().wait_ns == 51);
}

TEST_CASE("whatever happens, nothing is lost and nothing goes back") {
    std::mt19937 random(7);
    PeerShares shares;
    Waits accounts, before;
    std::uint64_t total = 0, other = 0;
    for (int round = 0; round < 500; round++) {
        std::vector<PeerShares::Reading> readings;
        for (int peer = 0; peer < 30; peer++) {
            const std::string name = "p" + std::to_string(peer);
            if (random() % 20 == 0) {
                shares.close(name);
                accounts.erase(name);
                continue;
            }
            const std::uint64_t growth = random() % (1 + 100 * static_cast<unsigned>(peer * round % 17));
            accounts[name] += growth;
            total += growth;
            readings.push_back(
                reading(name, accounts[name], "label" + std::to_string((peer + round / 100) % 25)));
        }
        shares.update(readings, {});
        const Waits now = shown(shares, 5);
        CHECK(now.size() == 5);
        std::uint64_t sum = shares.other().wait_ns;
        for (const auto& [label, ns] : now) {
            sum += ns;
            if (const auto last = before.find(label); last != before.end()) {
                CHECK(ns >= last->second);
            }
        }
        CHECK(sum == total);
        CHECK(shares.other().wait_ns >= other);
        other = shares.other().wait_ns;
        before = now;
    }
}

}  // namespace
}  // namespace plimsoll
