// SPDX-License-Identifier: Apache-2.0
// A ScrapeSource under the test's control, and a web server on a free port that uses it.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <mutex>

#include "exposition/web_server.h"
#include "sample_snapshot.h"

namespace plimsoll::testing {

class FakeSource : public ScrapeSource {
  public:
    std::shared_ptr<const Snapshot> scrape(std::chrono::milliseconds) override { return on_scrape(); }
    Status status() override {
        const std::lock_guard lock(mutex_);
        return status_;
    }
    void cancel() override {}

    void set_status(Status status) {
        const std::lock_guard lock(mutex_);
        status_ = std::move(status);
    }

    /// Set before the server starts.
    std::function<std::shared_ptr<const Snapshot>()> on_scrape = [] {
        return std::make_shared<const Snapshot>(sample_snapshot());
    };

  private:
    std::mutex mutex_;
    Status status_;
};

struct TestServer {
    explicit TestServer(const WebServer::Options& options = {}) { start(options); }
    explicit TestServer(std::function<std::shared_ptr<const Snapshot>()> on_scrape,
                        const WebServer::Options& options = {}) {
        source.on_scrape = std::move(on_scrape);
        start(options);
    }

    FakeSource source;
    std::unique_ptr<WebServer> web;
    std::uint16_t port = 0;

  private:
    void start(const WebServer::Options& options) {
        auto started = WebServer::start({"127.0.0.1:0"}, source, options);
        INFO((started ? "" : started.error().message));
        REQUIRE(started);
        web = std::move(*started);
        port = web->ports().at(0);
    }
};

}  // namespace plimsoll::testing
