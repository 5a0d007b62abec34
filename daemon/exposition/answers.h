// SPDX-License-Identifier: Apache-2.0
// What each request is answered, without the web server: /metrics, /healthz, /readyz and the start page.
// Called by many HTTP threads at once.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "exposition/pages.h"
#include "exposition/scrape_source.h"

namespace plimsoll {

struct Request {
    std::string_view method;
    std::string_view path;   ///< decoded, without the query
    std::string_view query;  ///< as it came, without the question mark
    std::string_view accept;
    std::string_view accept_encoding;
    bool has_body = false;
};

struct Response {
    int status = 200;
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string more_headers;          ///< each with its line end
    std::string text;                  ///< the body of all but scrapes
    std::shared_ptr<const Page> page;  ///< the body of a scrape

    std::string_view body() const { return page ? page->body() : std::string_view(text); }
};

/// Plain text; `more_headers` each with its line end.
Response short_answer(int status, std::string text, std::string_view more_headers = "");

/// "Not Found" for 404, and so on for the statuses used here.
std::string_view reason_phrase(int status);

/// Status line and headers, up to and including the empty line. The connection is always closed afterwards.
std::string render_head(const Response& response);

class Answers {
  public:
    Answers(ScrapeSource& source, std::chrono::milliseconds scrape_deadline)
        : source_(source), scrape_deadline_(scrape_deadline) {}

    /// Never throws: whatever goes wrong is answered 500.
    Response answer(const Request& request) noexcept;

    const ScrapeStats& last_scrape() const { return last_scrape_; }

  private:
    Response route(const Request& request);
    Response metrics(const Request& request);
    Response ready() const;
    Response start_page(const Request& request);

    ScrapeSource& source_;
    const std::chrono::milliseconds scrape_deadline_;
    Pages pages_;
    ScrapeStats last_scrape_;
};

}  // namespace plimsoll
