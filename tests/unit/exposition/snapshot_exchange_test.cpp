// SPDX-License-Identifier: Apache-2.0
#include "exposition/snapshot_exchange.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "http_client.h"
#include "sample_snapshot.h"

namespace plimsoll {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<SnapshotExchange> make_exchange() {
    auto exchange = SnapshotExchange::create();
    REQUIRE(exchange);
    return std::move(*exchange);
}

bool readable(const SnapshotExchange& exchange, std::chrono::milliseconds timeout) {
    pollfd poll_fd{.fd = exchange.fd(), .events = POLLIN, .revents = 0};
    return poll(&poll_fd, 1, static_cast<int>(timeout.count())) == 1;
}

auto ask(SnapshotExchange& exchange) {
    return std::async(std::launch::async, [&] { return exchange.scrape(10s); });
}

}  // namespace

TEST_CASE("A scrape that cannot wake the loop fails at once, and the next one is served") {
    const auto exchange = make_exchange();
    REQUIRE(eventfd_write(exchange->fd(), UINT64_MAX - 1) == 0);  // no room for one more: the write fails
    const auto begin = std::chrono::steady_clock::now();
    CHECK(exchange->scrape(10s) == nullptr);
    CHECK(std::chrono::steady_clock::now() - begin < 5s);
    CHECK_FALSE(exchange->take_pending());
    auto answer = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    REQUIRE(exchange->take_pending());
    exchange->publish(std::make_shared<const Snapshot>());
    CHECK(answer.get() != nullptr);
}

TEST_CASE("Nothing is pending until somebody asks") {
    const auto exchange = make_exchange();
    CHECK_FALSE(readable(*exchange, 0ms));
    CHECK_FALSE(exchange->take_pending());
    exchange->publish(std::make_shared<const Snapshot>());
    CHECK_FALSE(exchange->take_pending());
}

TEST_CASE("A request wakes the loop once and gets what it publishes") {
    const auto exchange = make_exchange();
    auto reply = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    CHECK(exchange->take_pending());
    CHECK_FALSE(readable(*exchange, 0ms));
    const auto snapshot = std::make_shared<const Snapshot>();
    exchange->publish(snapshot);
    CHECK(reply.get() == snapshot);
    CHECK_FALSE(exchange->take_pending());
    CHECK(snapshot.use_count() == 1);
}

TEST_CASE("Requests that arrive while a sample is taken share it, later ones get the next") {
    const auto exchange = make_exchange();
    auto first = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    CHECK(exchange->take_pending());
    std::atomic<int> called{0};
    std::vector<std::future<std::shared_ptr<const Snapshot>>> joining;
    for (int i = 0; i < 5; ++i) {
        joining.push_back(std::async(std::launch::async, [&] {
            ++called;
            return exchange->scrape(10s);
        }));
    }
    while (called < 5) {
        std::this_thread::yield();
    }
    std::this_thread::sleep_for(50ms);  // the last step into scrape() shows nowhere
    CHECK_FALSE(readable(*exchange, 0ms));
    const auto shared = std::make_shared<const Snapshot>();
    exchange->publish(shared);
    CHECK(first.get() == shared);
    for (auto& reply : joining) {
        CHECK(reply.get() == shared);
    }
    auto later = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    CHECK(exchange->take_pending());
    const auto next = std::make_shared<const Snapshot>();
    exchange->publish(next);
    CHECK(later.get() == next);
}

TEST_CASE("A request gives up at its deadline and leaves the exchange in order") {
    const auto exchange = make_exchange();
    CHECK(exchange->scrape(1ms) == nullptr);
    CHECK(exchange->take_pending());
    exchange->publish(std::make_shared<const Snapshot>());
    CHECK_FALSE(exchange->take_pending());
    auto reply = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    const auto snapshot = std::make_shared<const Snapshot>();
    exchange->publish(snapshot);
    CHECK(reply.get() == snapshot);
}

TEST_CASE("A sample that failed is told to who waits") {
    const auto exchange = make_exchange();
    auto reply = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    exchange->publish(nullptr);
    CHECK(reply.get() == nullptr);
}

TEST_CASE("Cancelling sends everybody home at once and for good") {
    const auto exchange = make_exchange();
    auto reply = ask(*exchange);
    REQUIRE(readable(*exchange, 10s));
    exchange->cancel();
    CHECK(reply.get() == nullptr);
    CHECK(exchange->scrape(10s) == nullptr);
}

TEST_CASE("The status is starting until the loop says otherwise") {
    const auto exchange = make_exchange();
    CHECK_FALSE(exchange->status().ready);
    CHECK(exchange->status().reason == "starting");
    exchange->set_status({.ready = true, .reason = ""});
    CHECK(exchange->status().ready);
}

TEST_CASE("Many threads and one loop: every request is answered, no sample is taken in vain") {
    const auto exchange = make_exchange();
    constexpr int kThreads = 8;
    constexpr int kRequests = 200;
    std::atomic<int> answered{0};
    std::atomic<int> running{kThreads};
    std::vector<std::thread> clients;
    for (int i = 0; i < kThreads; ++i) {
        clients.emplace_back([&] {
            for (int k = 0; k < kRequests; ++k) {
                answered += exchange->scrape(10s) ? 1 : 0;
            }
            --running;
        });
    }
    int samples = 0;
    while (running > 0) {
        if (readable(*exchange, 10ms) && exchange->take_pending()) {
            exchange->publish(std::make_shared<const Snapshot>());
            ++samples;
        }
    }
    for (std::thread& client : clients) {
        client.join();
    }
    CHECK(answered == kThreads * kRequests);
    CHECK(samples <= kThreads * kRequests);
    CHECK(samples >= kRequests);
}

}  // namespace plimsoll
