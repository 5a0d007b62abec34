// SPDX-License-Identifier: Apache-2.0
// Clients that mean ill, over real sockets. Time is part of what is tested here: each case waits for an event
// with a generous limit, and the limits of the server are short.

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <iterator>
#include <thread>

#include "exposition/own_sockets.h"
#include "exposition/snapshot_exchange.h"
#include "fake_source.h"
#include "http_client.h"

namespace plimsoll {
namespace {

using testing::get;
using testing::HttpClient;
using testing::Reply;
using testing::sample_snapshot;
using testing::TestServer;
using namespace std::chrono_literals;

constexpr std::string_view kScrape = "GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n";

WebServer::Options impatient() {
    WebServer::Options options;
    options.limits.request = 1000ms;
    options.limits.response = 1500ms;
    options.limits.tick = 50ms;
    return options;
}

/// More than the kernel's socket buffers take, so that a slow reader really holds the worker.
std::shared_ptr<const Snapshot> large_snapshot() {
    auto snapshot = std::make_shared<Snapshot>(sample_snapshot());
    FamilySamples& family = snapshot->families.front();
    family.samples.resize(80'000, family.samples.front());
    return snapshot;
}

/// Scrapes ten times a second for `duration` and returns the longest time that one took; fails if one fails.
std::chrono::milliseconds worst_scrape(std::uint16_t port, std::chrono::milliseconds duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    std::chrono::milliseconds worst{0};
    while (std::chrono::steady_clock::now() < end) {
        const Reply reply = get(port, "/metrics");
        CHECK(reply.status == 200);
        worst = std::max(worst, reply.took);
        std::this_thread::sleep_for(100ms);
    }
    return worst;
}

/// What counts as prompt on this machine, now: a busy one is slow without any attack.
std::chrono::milliseconds prompt(std::uint16_t port) {
    return 1000ms + 20 * worst_scrape(port, 300ms);
}

bool settles(const WebServer& web) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (web.open_connections() != 0 && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(5ms);
    }
    return web.open_connections() == 0;
}

std::vector<HttpClient> connect_many(std::uint16_t port, int count, std::string_view first_bytes = "") {
    std::vector<HttpClient> clients;
    for (int i = 0; i < count; ++i) {
        clients.emplace_back(port, 4096);
        clients.back().send(first_bytes);
    }
    return clients;
}

}  // namespace

TEST_CASE("A silent client is hung up on at the deadline for requests") {
    const TestServer server(impatient());
    const HttpClient client(server.port);
    CHECK_FALSE(client.is_closed_within(500ms));
    CHECK(client.is_closed_within(2000ms));
    CHECK(settles(*server.web));
}

TEST_CASE("A client that dribbles its request byte by byte gets no longer than a silent one") {
    const TestServer server(impatient());
    const HttpClient client(server.port);
    const auto begin = std::chrono::steady_clock::now();
    while (client.send("G") && client.read_some(1000, 20ms).empty()) {
        REQUIRE(std::chrono::steady_clock::now() - begin < 5s);
    }
    CHECK(std::chrono::steady_clock::now() - begin < 2500ms);
    CHECK(settles(*server.web));
}

TEST_CASE("A client that reads byte by byte is cut off at the deadline for responses") {
    const TestServer server(large_snapshot, impatient());
    const HttpClient client(server.port, 4096);
    client.send(kScrape);
    const auto begin = std::chrono::steady_clock::now();
    std::size_t got = 0;
    while (server.web->open_connections() > 0 || got == 0) {
        got += client.read_some(1000, 1s).size();
        std::this_thread::sleep_for(10ms);
        REQUIRE(std::chrono::steady_clock::now() - begin < 6s);
    }
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took > 1000ms);
    CHECK(took < 4000ms);
}

TEST_CASE("A client that never ends its body holds nothing") {
    const TestServer server(impatient());
    const HttpClient client(server.port);
    client.send("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    CHECK(client.is_closed_within(800ms));
    CHECK(settles(*server.web));
}

TEST_CASE("A hundred silent clients do not delay an honest one") {
    WebServer::Options options;  // as in production
    const TestServer server(options);
    const auto limit = prompt(server.port);
    for (int wave = 0; wave < 3; ++wave) {
        const auto silent = connect_many(server.port, 100);
        const auto worst = worst_scrape(server.port, 500ms);
        INFO("worst " << worst.count() << " ms");
        CHECK(worst < limit);
    }
}

TEST_CASE("A hundred dribbling clients that always come back do not delay an honest one") {
    const TestServer server;
    const auto limit = prompt(server.port);
    std::atomic<bool> stop{false};
    std::atomic<int> came_back{0};
    auto attack = std::async(std::launch::async, [&] {
        auto clients = connect_many(server.port, 100, "GET /");
        while (!stop) {
            for (HttpClient& client : clients) {
                if (!client.send("x")) {
                    client = HttpClient(server.port);
                    ++came_back;
                }
            }
            std::this_thread::sleep_for(10ms);
        }
    });
    const auto worst = worst_scrape(server.port, 2000ms);
    stop = true;
    attack.get();
    INFO("worst " << worst.count() << " ms, came back " << came_back << " times");
    CHECK(worst < limit);
    CHECK(came_back > 100);
}

TEST_CASE("A hundred clients that do not read do not delay an honest one for long") {
    const auto large = large_snapshot();
    const auto small = std::make_shared<const Snapshot>(sample_snapshot());
    std::atomic<int> scrapes{0};
    const TestServer server([&] { return scrapes++ < 100 ? large : small; });
    const auto limit = 3 * prompt(server.port);
    const auto readers = connect_many(server.port, 100, kScrape);
    const auto worst = worst_scrape(server.port, 2000ms);
    INFO("worst " << worst.count() << " ms");
    CHECK(worst < limit);
}

TEST_CASE("Pages that are being sent at once stay within their budget: the oldest reader must go") {
    WebServer::Options options;
    options.limits.page_bytes = 1;
    const TestServer server(large_snapshot, options);
    const HttpClient first(server.port, 4096);
    first.send(kScrape);
    REQUIRE_FALSE(first.read_some(10, 10s).empty());
    const HttpClient second(server.port, 4096);
    second.send(kScrape);
    REQUIRE_FALSE(second.read_some(10, 10s).empty());
    const auto begin = std::chrono::steady_clock::now();
    while (server.web->open_connections() > 1) {
        std::this_thread::sleep_for(5ms);
        REQUIRE(std::chrono::steady_clock::now() - begin < 5s);
    }
    CHECK_FALSE(second.read_some(10, 10s).empty());
}

TEST_CASE("The server stops at once with every kind of slow client connected") {
    for (int round = 0; round < 10; ++round) {
        auto exchange = SnapshotExchange::create();
        REQUIRE(exchange);
        auto web = WebServer::start({"127.0.0.1:0"}, **exchange);
        REQUIRE(web);
        const std::uint16_t port = (*web)->ports().at(0);
        const auto waiting = connect_many(port, 10, kScrape);  // nobody ever publishes
        const auto silent = connect_many(port, 60);
        const auto dribbling = connect_many(port, 10, "GET /met");
        const auto begin = std::chrono::steady_clock::now();
        web->reset();
        CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
    }
}

TEST_CASE("An idle server stops at once and leaves no descriptor behind") {
    const auto descriptors = [] {
        const std::filesystem::directory_iterator all("/proc/self/fd");
        return std::distance(begin(all), end(all));
    };
    const auto before = descriptors();
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 3; ++i) {
        const TestServer server;
        CHECK(get(server.port, "/healthz").status == 200);
    }
    CHECK(std::chrono::steady_clock::now() - start < 2s);
    CHECK(descriptors() == before);
}

TEST_CASE("The process's own sockets are found by port, with peer and unread bytes") {
    const TestServer server;
    const std::uint16_t ports[] = {server.port};
    const auto alone = find_own_sockets(ports);
    REQUIRE(alone.size() == 1);
    CHECK(alone[0].listening);
    const HttpClient client(server.port);
    const auto begin = std::chrono::steady_clock::now();
    auto found = find_own_sockets(ports);
    while (found.size() < 2) {
        REQUIRE(std::chrono::steady_clock::now() - begin < 5s);
        found = find_own_sockets(ports);
    }
    const OwnSocket& accepted = found[found[0].listening ? 1 : 0];
    CHECK(accepted.peer == "127.0.0.1");
    CHECK(accepted.peer_port != 0);
    CHECK(accepted.local_port == server.port);
    CHECK(accepted.cookie != alone[0].cookie);
    CHECK_FALSE(accepted.unread);
}

}  // namespace plimsoll
