// SPDX-License-Identifier: Apache-2.0
// The HTTP side: civetweb with one callback that answers everything, no files, no document root. The daemon
// owns it; it runs threads of its own, which use the ScrapeSource until the destructor returns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "exposition/answers.h"
#include "exposition/connection_guard.h"
#include "exposition/scrape_source.h"

struct mg_connection;
struct mg_context;

namespace plimsoll {

class WebServer {
  public:
    struct Options {
        ConnectionLimits limits;
        std::chrono::milliseconds scrape_deadline{5000};
    };

    /// `listen` as in the configuration. Errors: "listen 127.0.0.1:9752: Address already in use". Signals
    /// that only the caller should get must be blocked before, since the threads inherit the mask.
    static Result<std::unique_ptr<WebServer>> start(const std::vector<std::string>& listen,
                                                    ScrapeSource& source, const Options& options);
    static Result<std::unique_ptr<WebServer>> start(const std::vector<std::string>& listen,
                                                    ScrapeSource& source) {
        return start(listen, source, Options{});
    }

    /// Cancels waiting scrapes, ends every connection, and takes milliseconds whatever the clients do.
    ~WebServer();
    WebServer(const WebServer&) = delete;
    WebServer& operator=(const WebServer&) = delete;

    /// In the order of `listen`; useful after port 0.
    std::vector<std::uint16_t> ports() const;

    const ScrapeStats& last_scrape() const { return answers_.last_scrape(); }

    std::size_t open_connections() const { return guard_.open(); }

  private:
    struct Callbacks;

    WebServer(ScrapeSource& source, const Options& options);
    Result<void> listen(const std::vector<std::string>& addresses, const Options& options);
    int handle(mg_connection* connection);

    ScrapeSource& source_;
    Answers answers_;
    ConnectionGuard guard_;
    mg_context* context_ = nullptr;
};

}  // namespace plimsoll
