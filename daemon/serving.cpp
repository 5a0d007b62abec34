// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that is about the web server: its start, other addresses, and a web configuration or
// certificates that have changed.
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstring>

#include "daemon.h"

namespace plimsoll {

void log_policy(const WebPolicy& policy) {
    for (const auto& warning : policy.warnings) {
        spdlog::warn("{}", warning);
    }
    if (!policy.summary.empty()) {
        spdlog::info("web server: {}", policy.summary);
    }
}

/// The signals are blocked before the web server starts its threads, which inherit the mask.
Result<void> Daemon::start_web() {
    auto exchange = SnapshotExchange::create();
    if (!exchange) {
        return std::unexpected(exchange.error());
    }
    exchange_ = std::move(*exchange);
    auto done = loop_->on_signals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) {
        if (signal == SIGHUP) {
            return reload();
        }
        spdlog::info("stopping on {}", strsignal(signal));
        loop_->stop();
    });
    if (!done) {
        return done;
    }
    auto web = WebServer::start(config_.web.listen, *exchange_, {}, policy_);
    if (!web) {
        return std::unexpected(web.error());
    }
    web_ = std::move(*web);
    return {};
}

/// Scrapes that are under way are cut off when the addresses change, or between HTTP and HTTPS, and only
/// then.
Result<void> Daemon::serve(const std::vector<std::string>& listen, const PolicyPtr& policy) {
    const auto adopt = [&] {
        policy_ = policy;
        log_policy(*policy_);
    };
    if (listen == config_.web.listen && (policy->tls != nullptr) == (policy_->tls != nullptr)) {
        web_->adopt(policy);
        adopt();
        return {};
    }
    const auto start = [this](const std::vector<std::string>& addresses, const PolicyPtr& with) {
        web_.reset();
        exchange_->resume();
        return WebServer::start(addresses, *exchange_, {}, with);
    };
    auto web = start(listen, policy);
    if (web) {
        web_ = std::move(*web);
        adopt();
        return {};
    }
    const Result<void> done = std::unexpected(web.error());
    web = start(config_.web.listen, policy_);
    if (!web) {  // neither the new addresses nor, any more, the old ones
        outcome_ = std::unexpected(web.error());
        loop_->stop();
        return outcome_;
    }
    web_ = std::move(*web);
    return done;
}

/// Certificates are renewed without anybody telling the agent.
void Daemon::look_at_web_files() {
    const auto loaded = policy_watch_.poll();
    if (!loaded) {
        return;
    }
    auto done = loaded->policy ? serve(config_.web.listen, *loaded->policy) : fail("it has mistakes");
    if (!loaded->policy) {
        for (const auto& problem : loaded->policy.error()) {
            spdlog::error("{}", problem);
        }
    }
    note_web(done.has_value());
    if (done) {
        spdlog::info("the files of the web configuration have changed, and are in force");
    } else {
        spdlog::error("the files of the web configuration have changed: {}; what was before stays in force",
                      done.error().message);
    }
}

}  // namespace plimsoll
