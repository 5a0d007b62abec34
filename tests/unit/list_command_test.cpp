// SPDX-License-Identifier: Apache-2.0
#include "list_command.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

using namespace plimsoll;

namespace {

std::vector<Container> containers() {
    Container web;
    web.cgroup = "/docker/" + std::string(64, 'a');
    web.runtime = Runtime::docker;
    web.id = std::string(64, 'b');
    web.name = "w\u00e9b";
    web.image = "nginx:1";
    web.rule = "discover docker";
    Container odd;
    odd.cgroup = "/x\n\x1b[31m\xff\u202e\u0085\xed\xa0\x80";
    odd.name = "\xe2\x82";
    odd.rule = "cgroups[0]";
    return {web, odd};
}

std::string printed(bool json) {
    std::ostringstream out;
    print_containers(containers(), json, out);
    return out.str();
}

}  // namespace

TEST_CASE("the table has aligned columns and short ids") {
    std::istringstream lines(printed(false));
    std::string header, web, odd;
    std::getline(lines, header);
    std::getline(lines, web);
    std::getline(lines, odd);
    CHECK(header.starts_with("CGROUP "));
    CHECK(header.find("RUNTIME") == web.find("docker  "));
    CHECK(header.find("ID") == web.find("  bbbbbbbbbbbb  ") + 2);
    CHECK(header.find("IMAGE") + 1 == web.find("nginx:1"));  // one column, but two bytes, for é
    CHECK(web.ends_with("  discover docker"));
    CHECK(odd.ends_with("  cgroups[0]"));
}

TEST_CASE("what the table says is harmless to a terminal") {
    const auto text = printed(false);
    CHECK(text.find("/x\ufffd\ufffd[31m\ufffd\ufffd") != std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("\u202e") == std::string::npos);
    CHECK(text.find("\u0085") == std::string::npos);
    CHECK(text.find('\xff') == std::string::npos);
    CHECK(text.find("w\u00e9b") != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 3);
}

TEST_CASE("the JSON is valid and complete whatever the names contain") {
    const auto list = nlohmann::json::parse(printed(true));
    REQUIRE(list.size() == 2);
    CHECK(list[0] == nlohmann::json{{"cgroup", "/docker/" + std::string(64, 'a')},
                                    {"runtime", "docker"},
                                    {"id", std::string(64, 'b')},
                                    {"name", "w\u00e9b"},
                                    {"image", "nginx:1"},
                                    {"rule", "discover docker"}});
    CHECK(list[1]["runtime"] == "cgroup");
    CHECK(list[1]["image"] == "");
}

TEST_CASE("an empty list is an empty JSON array") {
    std::ostringstream out;
    print_containers({}, true, out);
    CHECK(out.str() == "[]\n");
}
