// SPDX-License-Identifier: Apache-2.0
// The HTTP side: civetweb with one callback that answers everything, no files, no document root. The daemon
// owns it; it runs threads of its own, which use the ScrapeSource until the destructor returns.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <vector>

#include "core/error.h"
#include "exposition/answers.h"
#include "exposition/connection_guard.h"
#include "exposition/scrape_source.h"
#include "exposition/security/tls_front.h"
#include "exposition/security/web_policy.h"

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
    /// that only the caller should get must be blocked before, since the threads inherit the mask. All
    /// addresses speak TLS if the policy has some.
    static Result<std::unique_ptr<WebServer>> start(const std::vector<std::string>& listen,
                                                    ScrapeSource& source, const Options& options,
                                                    PolicyPtr policy = std::make_shared<const WebPolicy>());
    static Result<std::unique_ptr<WebServer>> start(const std::vector<std::string>& listen,
                                                    ScrapeSource& source) {
        return start(listen, source, Options{});
    }

    /// Cancels waiting scrapes, ends every connection, and takes milliseconds whatever the clients do.
    ~WebServer();
    WebServer(const WebServer&) = delete;
    WebServer& operator=(const WebServer&) = delete;

    /// Holds for all requests and handshakes that begin after it. Must have TLS if the former one had, and
    /// none if it had none.
    void adopt(PolicyPtr policy);

    /// In the order of `listen`; useful after port 0.
    std::vector<std::uint16_t> ports() const;

    const ScrapeStats& last_scrape() const { return answers_.last_scrape(); }

    std::size_t open_connections() const { return guard_.open(); }

  private:
    struct Callbacks;

    WebServer(ScrapeSource& source, const Options& options, PolicyPtr policy);
    Result<void> listen(const std::vector<std::string>& addresses, const Options& options);
    int handle(mg_connection* connection);
    Response respond(mg_connection* connection, const WebPolicy& policy);
    PolicyPtr policy() const;

    ScrapeSource& source_;
    Answers answers_;
    mutable std::mutex policy_mutex_;
    PolicyPtr policy_;
    std::unique_ptr<TlsFront> front_;  ///< none: plain HTTP
    std::atomic<bool> stopping_{false};
    ConnectionGuard guard_;
    mg_context* context_ = nullptr;
    std::counting_semaphore<> started_{0};  ///< of civetweb's threads
    std::atomic<bool> accepts_{false};
};

}  // namespace plimsoll
