// SPDX-License-Identifier: Apache-2.0
#include "exposition/answers.h"

#include <utility>

#include "exposition/gzip.h"
#include "exposition/negotiate.h"
#include "exposition/overview.h"
#include "exposition/start_page.h"
#include "exposition/start_page_assets.h"

namespace plimsoll {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kAllow = "Allow: GET, HEAD\r\n";
constexpr std::string_view kVary = "Vary: Accept, Accept-Encoding\r\n";
constexpr std::string_view kVaryGzip = "Vary: Accept, Accept-Encoding\r\nContent-Encoding: gzip\r\n";

std::string packed(std::string_view text) {
    std::string out;
    GzipEncoder encoder;
    encoder.start(out);
    encoder.append(text);
    encoder.finish();
    return out;
}

}  // namespace

Response short_answer(int status, std::string text, std::string_view more_headers) {
    Response response;
    response.status = status;
    response.text = std::move(text);
    response.more_headers = more_headers;
    return response;
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 500:
            return "Internal Server Error";
        case 503:
            return "Service Unavailable";
        default:
            return "Error";
    }
}

std::string render_head(const Response& response) {
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += reason_phrase(response.status);
    head += "\r\nContent-Type: ";
    head += response.content_type;
    head += "\r\nContent-Length: " + std::to_string(response.body().size());
    head += "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    head += response.more_headers;
    head += "\r\n";
    return head;
}

Response Answers::answer(const Request& request) noexcept {
    try {
        return route(request);
    } catch (...) {  // memory, most likely; one scrape fails, the agent goes on
        Response response;
        response.status = 500;
        return response;
    }
}

Response Answers::route(const Request& request) {
    if (request.method != "GET" && request.method != "HEAD") {
        return short_answer(405, "only GET and HEAD\n", kAllow);
    }
    if (request.has_body) {
        return short_answer(400, "no request body expected\n");
    }
    if (request.path == "/metrics") {
        return metrics(request);
    }
    if (request.path == "/healthz") {
        return short_answer(200, "ok\n");
    }
    if (request.path == "/readyz") {
        return ready();
    }
    if (request.path == "/") {
        return start_page(request);
    }
    return short_answer(404, "not found; try /metrics\n");
}

Response Answers::metrics(const Request& request) {
    const auto begin = std::chrono::steady_clock::now();
    const auto snapshot = source_.scrape(scrape_deadline_);
    if (!snapshot) {
        return short_answer(503, "no sample could be taken in time\n");
    }
    const Negotiated wanted = negotiate(request.accept, request.accept_encoding);
    Response response;
    response.content_type = wanted.content_type;
    response.more_headers = wanted.gzip ? kVaryGzip : kVary;
    response.page = pages_.page(snapshot, wanted.format, wanted.gzip);
    const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - begin;
    last_scrape_.duration_ns = static_cast<std::uint64_t>(took.count());
    last_scrape_.series = response.page->text.series;
    last_scrape_.bytes = response.page->text.bytes;
    return response;
}

Response Answers::ready() const {
    const Status status = source_.status();
    return status.ready ? short_answer(200, "ready\n") : short_answer(503, status.reason + "\n");
}

Response Answers::start_page(const Request& request) {
    const StartPage page(PLIMSOLL_VERSION, this_host(), sort_key_of(request.query));
    Response response;
    response.content_type = kHtml;
    response.more_headers = kStartPagePolicy;
    if (const Status status = source_.status(); !status.ready) {
        response.status = 503;
        response.text = page.excuse("The agent is not ready: " + status.reason + ".");
        return response;
    }
    const auto snapshot = source_.scrape(scrape_deadline_);
    if (!snapshot) {
        response.status = 503;
        response.text = page.excuse("No sample could be taken in time.");
        return response;
    }
    response.text = page.table(make_overview(*snapshot));
    const bool gzip = negotiate(request.accept, request.accept_encoding).gzip;
    response.more_headers += gzip ? kVaryGzip : kVary;
    if (gzip) {
        response.text = packed(response.text);
    }
    return response;
}

}  // namespace plimsoll
