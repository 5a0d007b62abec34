// SPDX-License-Identifier: Apache-2.0
#include "exposition/start_page.h"

#include <catch2/catch.hpp>

#include "page_parser.h"

namespace plimsoll {

TEST_CASE("The start page tells version, state and what is watched") {
    Status status;
    status.ready = true;
    status.containers.push_back({"web", "docker", "/docker/abc"});
    const std::string page = render_start_page("1.2.3", status);
    CHECK(page.find("Version 1.2.3, ready.") != std::string::npos);
    CHECK(page.find("Watched containers: 1") != std::string::npos);
    CHECK(page.find("<td>web</td><td>docker</td><td>/docker/abc</td>") != std::string::npos);
    CHECK(page.find("href=\"metrics\"") != std::string::npos);
}

TEST_CASE("An agent that is not ready says why on its start page") {
    Status status;
    status.reason = "probe ledger: no BTF & <nothing>";
    CHECK(render_start_page("1", status).find("not ready: probe ledger: no BTF &amp; &lt;nothing&gt;") !=
          std::string::npos);
}

TEST_CASE("A hostile container name is only shown on the start page") {
    Status status;
    status.containers.push_back(
        {"<script>alert('x')</script>\"&\xFF\x1b", "docker", std::string(1'000'000, '<')});
    const std::string page = render_start_page("1", status);
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;") != std::string::npos);
    CHECK(testing::is_valid_utf8(page));
    CHECK(page.find('\x1b') == std::string::npos);
    CHECK(page.size() < 10'000);
}

TEST_CASE("The start page lists a bounded number of containers and counts the rest") {
    Status status;
    status.containers.resize(1234, {"n", "docker", "/c"});
    const std::string page = render_start_page("1", status);
    CHECK(page.find("Watched containers: 1234") != std::string::npos);
    CHECK(page.find("and 234 more") != std::string::npos);
}

}  // namespace plimsoll
