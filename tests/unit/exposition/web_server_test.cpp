// SPDX-License-Identifier: Apache-2.0
#include "exposition/web_server.h"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "container_snapshot.h"
#include "fake_source.h"
#include "gunzip.h"
#include "http_client.h"

namespace plimsoll {
namespace {

using testing::FakeSource;
using testing::get;
using testing::golden_openmetrics;
using testing::golden_text;
using testing::gunzip;
using testing::HttpClient;
using testing::parse_reply;
using testing::Reply;
using testing::request;
using testing::TestServer;
using namespace std::chrono_literals;

}  // namespace

TEST_CASE("/metrics is text 0.0.4 for everybody") {
    const TestServer server;
    const Reply reply = get(server.port, "/metrics");
    CHECK(reply.status == 200);
    CHECK(reply.headers.at("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(reply.headers.at("cache-control") == "no-store");
    CHECK(reply.headers.at("x-content-type-options") == "nosniff");
    CHECK_FALSE(reply.headers.contains("content-encoding"));
    CHECK(reply.body == golden_text());
    CHECK(reply.headers.at("content-length") == std::to_string(reply.body.size()));
}

TEST_CASE("/metrics is OpenMetrics for who asks for it") {
    const TestServer server;
    const Reply reply =
        get(server.port, "/metrics?name=x", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    CHECK(reply.status == 200);
    CHECK(reply.headers.at("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8");
    CHECK(reply.body == golden_openmetrics());
}

TEST_CASE("Accept headers on several lines count as one") {
    const TestServer server;
    const Reply reply =
        get(server.port, "/metrics", "Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n");
    CHECK(reply.body == golden_openmetrics());
}

TEST_CASE("A page that was asked for in gzip unpacks to the same page") {
    const TestServer server;
    for (int round = 0; round < 3; ++round) {
        const Reply reply = get(server.port, "/metrics", "Accept-Encoding: gzip\r\n");
        CHECK(reply.status == 200);
        CHECK(reply.headers.at("content-encoding") == "gzip");
        CHECK(reply.headers.at("content-length") == std::to_string(reply.body.size()));
        CHECK(reply.body.size() < golden_text().size());
        CHECK(gunzip(reply.body, 100'000) == golden_text());
    }
    CHECK_FALSE(
        get(server.port, "/metrics", "Accept-Encoding: gzip;q=0\r\n").headers.contains("content-encoding"));
}

TEST_CASE("The last scrape's size is known afterwards") {
    const TestServer server;
    CHECK(server.web->last_scrape().series == 0);
    const Reply reply = get(server.port, "/metrics", "Accept-Encoding: gzip\r\n");
    CHECK(server.web->last_scrape().bytes == golden_text().size());
    CHECK(server.web->last_scrape().series == 44);
    CHECK(server.web->last_scrape().duration_ns > 0);
}

TEST_CASE("HEAD has the headers of GET and no body") {
    const TestServer server;
    for (const char* path : {"/metrics", "/healthz", "/readyz", "/", "/nothing"}) {
        const Reply with_body = get(server.port, path);
        const Reply head = request(server.port, "HEAD", path);
        CHECK(head.status == with_body.status);
        CHECK(head.headers == with_body.headers);
        CHECK(head.body.empty());
        CHECK_FALSE(with_body.body.empty());
    }
}

TEST_CASE("Only GET and HEAD are allowed") {
    const TestServer server;
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "MKCOL"}) {
        for (const char* path : {"/metrics", "/nothing"}) {
            const Reply reply = request(server.port, method, path);
            CHECK(reply.status == 405);
            CHECK(reply.headers.at("allow") == "GET, HEAD");
        }
    }
}

TEST_CASE("What is not there is 404 with a short text, whatever it looks like") {
    const TestServer server;
    for (const char* path :
         {"/metric", "/metrics/", "/metrics/x", "/etc/passwd", "/../../etc/passwd", "/.htpasswd",
          "/%2e%2e/%2e%2e/etc/passwd", "/a.cgi", "/a.php", "/a.shtml", "/favicon.ico"}) {
        const Reply reply = get(server.port, path);
        INFO(path);
        CHECK(reply.status == 404);
        CHECK(reply.body == "not found; try /metrics\n");
        CHECK(reply.headers.at("x-content-type-options") == "nosniff");
    }
}

TEST_CASE("/healthz says ok while the process lives and /readyz why it is not ready") {
    TestServer server;
    CHECK(get(server.port, "/healthz").body == "ok\n");
    const Reply starting = get(server.port, "/readyz");
    CHECK(starting.status == 503);
    CHECK(starting.body == "starting\n");
    server.source.set_status({.ready = true, .reason = ""});
    CHECK(get(server.port, "/readyz").status == 200);
}

TEST_CASE("The start page is a fresh sample under a strict policy and leaves the scrape's figures alone") {
    testing::ContainerSnapshot containers({testing::named("w<b>"), testing::named("a")});
    containers.family("container_threads", {{0, 2, ""}, {1, 1, ""}});
    TestServer server([&] { return std::make_shared<const Snapshot>(containers.get()); });
    server.source.set_status({.ready = true, .reason = ""});
    const Reply page = get(server.port, "/");
    CHECK(page.status == 200);
    CHECK(page.headers.at("content-type") == "text/html; charset=utf-8");
    const std::string& policy = page.headers.at("content-security-policy");
    CHECK(policy.starts_with("default-src 'none';"));
    CHECK(policy.find("script-src 'sha256-") != std::string::npos);
    CHECK(policy.find("http") == std::string::npos);
    CHECK(page.body.find("w&lt;b&gt;") > page.body.find("/docker/a"));
    const Reply sorted = get(server.port, "/?x=%3Cscript%3E&sort=threads");
    CHECK(sorted.body.find("w&lt;b&gt;") < sorted.body.find("/docker/a"));
    CHECK(sorted.body.find("%3C") == std::string::npos);
    const Reply packed = get(server.port, "/", "Accept-Encoding: gzip\r\n");
    CHECK(packed.headers.at("content-encoding") == "gzip");
    CHECK(packed.headers.at("content-security-policy") == policy);
    CHECK(gunzip(packed.body, 1'000'000) == page.body);
    CHECK(server.web->last_scrape().duration_ns == 0);
    CHECK(server.web->last_scrape().bytes == 0);
}

TEST_CASE("The start page says so when the agent is not ready or no sample came in time") {
    TestServer server([] { return nullptr; });
    const Reply starting = get(server.port, "/");
    CHECK(starting.status == 503);
    CHECK(starting.headers.at("content-type") == "text/html; charset=utf-8");
    CHECK(starting.body.find("The agent is not ready: starting.") != std::string::npos);
    server.source.set_status({.ready = true, .reason = ""});
    const Reply late = get(server.port, "/");
    CHECK(late.status == 503);
    CHECK(late.body.find("No sample could be taken in time.") != std::string::npos);
}

TEST_CASE("A scrape that comes too late is 503 and one that throws is 500") {
    const TestServer late([] { return nullptr; });
    CHECK(get(late.port, "/metrics").status == 503);
    const TestServer broken([]() -> std::shared_ptr<const Snapshot> { throw std::runtime_error("no"); });
    CHECK(get(broken.port, "/metrics").status == 500);
    const TestServer odd([]() -> std::shared_ptr<const Snapshot> { throw 42; });
    CHECK(get(odd.port, "/metrics").status == 500);
    CHECK(get(odd.port, "/healthz").status == 200);
}

TEST_CASE("What is no request for us is refused and the next one is answered") {
    const TestServer server;
    const std::vector<std::string> refused{
        "GET /metrics\r\n\r\n",
        std::string(4, '\0') + "\r\n\r\n",
        "FOO /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /metrics HTTP/9.9\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\xff\x01\xfc\x03\x03\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: " + std::string(100'000, 'a') + "\r\n\r\n",
        "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n"};
    for (const std::string& bytes : refused) {
        INFO(bytes.substr(0, 60));
        const HttpClient client(server.port);
        client.send(bytes);
        const std::string raw = client.read_all(2s);
        CHECK((raw.empty() || (parse_reply(raw).status >= 400 && parse_reply(raw).status < 600)));
        CHECK(client.is_closed_within(1s));
        CHECK(get(server.port, "/healthz").status == 200);
    }
}

TEST_CASE("Names that only look like ours and hosts that are not ours make no difference") {
    const TestServer server;
    CHECK(get(server.port, "/a/../metrics").status == 200);
    const HttpClient client(server.port);
    client.send("GET /metrics HTTP/1.0\r\n\r\n");
    CHECK(parse_reply(client.read_all(5s)).status == 200);
}

TEST_CASE("An address in use, a wrong one and none at all are one sentence each") {
    TestServer server;
    const std::string taken = "127.0.0.1:" + std::to_string(server.port);
    const auto message = [&](const std::vector<std::string>& listen) {
        const auto result = WebServer::start(listen, server.source);
        return result ? std::string("started") : result.error().message;
    };
    CHECK(message({taken}) == "listen " + taken + ": Address already in use");
    CHECK(message({"127.0.0.1:0", taken}) == "listen " + taken + ": Address already in use");
    CHECK(message({"192.0.2.1:0"}) == "listen 192.0.2.1:0: Cannot assign requested address");
    CHECK(message({"nonsense"}) == "listen nonsense: expected host:port, [v6 address]:port or :port");
    CHECK(message({}).starts_with("listen: expected 1 to "));
    CHECK(get(server.port, "/healthz").status == 200);
}

TEST_CASE("Several addresses are listened to at once") {
    FakeSource source;
    auto web = WebServer::start({"127.0.0.1:0", "localhost:0", ":0"}, source);
    REQUIRE(web);
    const auto ports = (*web)->ports();
    REQUIRE(ports.size() == 3);
    for (const std::uint16_t port : ports) {
        CHECK(get(port, "/metrics").body == golden_text());
    }
}

TEST_CASE("Many clients at once all get the whole page") {
    TestServer server;
    std::vector<std::thread> clients;
    std::atomic<int> right{0};
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back([&, i] {
            for (int k = 0; k < 5; ++k) {
                const bool open = (i + k) % 2 == 0;
                const Reply reply =
                    get(server.port, "/metrics", open ? "Accept: application/openmetrics-text\r\n" : "");
                right += reply.body == (open ? golden_openmetrics() : golden_text()) ? 1 : 0;
            }
        });
    }
    for (std::thread& client : clients) {
        client.join();
    }
    CHECK(right == 100);
}

}  // namespace plimsoll
