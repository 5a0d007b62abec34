// SPDX-License-Identifier: Apache-2.0
// Requests. An input is a line each for method, path, query, Accept and Accept-Encoding, then what the agent
// is like: "ready", "busy" (no sample in time), or any reason why it is not ready. Every answer is one
// well-formed response.
#include <libdeflate.h>

#include <algorithm>
#include <string>

#include "exposition/answers.h"
#include "exposition/negotiate.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "unit/exposition/container_snapshot.h"
#include "unit/exposition/html_check.h"
#include "unit/exposition/page_parser.h"

namespace plimsoll::fuzz {
namespace {

class Source : public ScrapeSource {
  public:
    explicit Source(std::string_view state)
        : busy_(state == "busy"),
          status_{busy_ || state == "ready",
                  std::string(testing::is_valid_utf8(state) ? state : "starting")} {}
    std::shared_ptr<const Snapshot> scrape(std::chrono::milliseconds) override {
        return busy_ ? nullptr : std::make_shared<const Snapshot>(snapshot_.get());
    }
    Status status() override { return status_; }
    void cancel() override {}

  private:
    bool busy_;
    Status status_;
    testing::ContainerSnapshot snapshot_{{testing::named("web"), testing::named("a\"b\\c\n<d>")}};
};

bool is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

bool is_visible(char c) {
    return c >= ' ' && c <= '~';
}

/// The value of a header that must be there once, or may be (`at_most`).
std::string header(std::string_view head, std::string_view name, bool at_most = false) {
    std::string found;
    int count = 0;
    for (std::string_view rest = head; !rest.empty();) {
        const auto end = rest.find("\r\n");
        const auto line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        const auto colon = line.find(": ");
        if (line.substr(0, colon) == name) {
            found = line.substr(colon + 2);
            ++count;
        }
    }
    require(count == 1 || (at_most && count == 0), "a header is there once");
    return found;
}

/// The head is lines of visible ASCII, and ends with the first empty one.
void check_head(std::string_view head) {
    require(head.starts_with("HTTP/1.1 "), "there is a status line");
    require(head.ends_with("\r\n\r\n") && head.find("\r\n\r\n") == head.size() - 4, "the head has one end");
    std::string_view rest = head.substr(0, head.size() - 2);
    for (bool first = true; !rest.empty(); first = false) {
        const auto end = rest.find("\r\n");
        const auto line = rest.substr(0, end);
        rest.remove_prefix(end + 2);
        require(std::ranges::all_of(line, is_visible), "a header is visible text");
        const auto name = line.substr(0, line.find(": "));
        require(first || (name.size() < line.size() && std::ranges::all_of(name, is_token)),
                "a header has a name");
    }
}

std::string unpacked(std::string_view body) {
    std::string out(1U << 20, '\0');
    std::size_t read = 0, written = 0;
    libdeflate_decompressor* decompressor = libdeflate_alloc_decompressor();
    const auto result = libdeflate_gzip_decompress_ex(decompressor, body.data(), body.size(), out.data(),
                                                      out.size(), &read, &written);
    libdeflate_free_decompressor(decompressor);
    require(result == LIBDEFLATE_SUCCESS && read == body.size(), "a packed body is one whole stream");
    out.resize(written);
    return out;
}

bool names(std::string_view list, std::string_view word) {
    std::string lower(list);
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return lower.find(word) != std::string::npos;
}

void check_body(const Request& request, const Response& response, std::string_view head) {
    const bool packed = header(head, "Content-Encoding", true) == "gzip";
    require(!packed || names(request.accept_encoding, "gzip") || names(request.accept_encoding, "*"),
            "nobody gets gzip who did not name it");
    const std::string body = packed ? unpacked(response.body()) : std::string(response.body());
    const auto type = header(head, "Content-Type");
    require(testing::is_valid_utf8(body), "a body is UTF-8");
    if (type.starts_with("text/html")) {
        require(testing::html_problem(body).empty(), "a page is well-formed HTML");
    } else if (request.path == "/metrics" && response.status == 200) {
        const bool openmetrics = type.starts_with("application/openmetrics-text; version=");
        require(openmetrics || type.starts_with("text/plain; version=0.0.4"),
                "a page has a type that we write");
        require(!openmetrics || names(request.accept, "application/openmetrics-text"),
                "nobody gets OpenMetrics who did not name it");
        require(testing::PageParser::parse(body, openmetrics).size() == 1, "the page has its family");
    } else {
        require(type.starts_with("text/plain") && body.ends_with('\n'), "an answer is a line of text");
    }
}

void check_status(const Request& request, const Response& response, const Status& status) {
    const bool get = request.method == "GET" || request.method == "HEAD";
    const bool known = request.path == "/" || request.path == "/metrics" || request.path == "/healthz" ||
                       request.path == "/readyz";
    require(response.status != 500, "no request makes us fail");
    require((response.status == 405) == !get, "other methods are not allowed, GET and HEAD are");
    require(!get || request.has_body || (response.status == 404) == !known, "what is there is there");
    require(request.path != "/readyz" || !get || request.has_body || (response.status == 200) == status.ready,
            "readyz says whether the agent is ready");
}

}  // namespace

void http(std::string_view input) {
    Input fields(input);
    Request request;
    request.method = fields.field();
    request.has_body = request.method.ends_with('+');
    request.method.remove_suffix(request.has_body ? 1 : 0);
    request.path = fields.field();
    request.query = fields.field();
    request.accept = fields.field();
    request.accept_encoding = fields.field();
    Source source(fields.rest());
    Answers answers(source, std::chrono::milliseconds(1));
    const Response response = answers.answer(request);
    const std::string head = render_head(response);
    check_head(head);
    require(header(head, "Content-Length") == std::to_string(response.body().size()),
            "the head knows the length");
    require(header(head, "Connection") == "close", "the connection is closed");
    check_status(request, response, source.status());
    check_body(request, response, head);
    Request without_body = request;
    without_body.method = "HEAD";
    if (request.method == "GET" && request.path != "/") {  // the page tells the time
        require(render_head(answers.answer(without_body)) == head, "HEAD gets what GET would");
    }
}

}  // namespace plimsoll::fuzz
