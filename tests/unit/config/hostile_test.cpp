// SPDX-License-Identifier: Apache-2.0
// What an enemy would put into the file: the parser must come back, soon, with an answer.
#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "config/text_guard.h"
#include "parse_test_support.h"

namespace plimsoll {
namespace {

using config_test::errors_of;
using config_test::parsed;
using namespace std::chrono_literals;

/// Generous: 64 KiB take milliseconds, a sanitizer or valgrind may make that many times as much.
constexpr auto kBound = 10s;

/// Parses the text and fails when that takes too long. The result is of no interest, but must be consistent.
void must_return(const std::string& text) {
    const auto start = std::chrono::steady_clock::now();
    const auto config = parse_config(text, "f");
    const auto took = std::chrono::steady_clock::now() - start;
    if (took >= kBound || (!config && (config.error().empty() || config.error().size() > 101)))
        FAIL("on " + text.substr(0, 1000));
}

std::string repeated(std::string_view part, std::size_t size) {
    std::string text;
    while (text.size() + part.size() <= size)
        text += part;
    return text;
}

TEST_CASE("texts that are no configuration are refused before they are parsed") {
    using namespace std::string_literals;
    CHECK(errors_of("web:\n  \0: x"s) ==
          ConfigErrors{"c.yaml:2:3: control character 0x00; allowed is text in UTF-8"});
    CHECK(errors_of("a\x1b[2J") ==
          ConfigErrors{"c.yaml:1:2: control character 0x1b; allowed is text in UTF-8"});
    CHECK(errors_of("a: 1\rb: 2") ==
          ConfigErrors{"c.yaml:1:5: control character 0x0d; allowed is text in UTF-8"});
    CHECK(errors_of(std::string(65537, '\n')) == ConfigErrors{"c.yaml:1:1: the file is larger than 64 KiB"});
    CHECK(errors_of("\n#" + std::string(4096, 'x')) ==
          ConfigErrors{"c.yaml:2:4097: the line is longer than 4096 bytes"});
    CHECK_FALSE(refuse_text("#" + std::string(4094, 'x') + "\r\n" + std::string(61000, '\n')));
}

TEST_CASE("invalid UTF-8 is refused where it begins, valid UTF-8 is not") {
    for (const auto* bytes : {"\x80", "\xC3", "\xC3(", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xE2\x82",
                              "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF\xFE"})
        CHECK(errors_of("# \xC3\xA9 " + std::string(bytes) + "\n") ==
              ConfigErrors{"c.yaml:1:6: this is not UTF-8; allowed is text in UTF-8"});
    CHECK_FALSE(refuse_text("# \xC3\xA9 \xE2\x82\xAC \xED\x9F\xBF \xF0\x9F\x9A\xA2 \xF4\x8F\xBF\xBF"));
}

TEST_CASE("an escape that there is not is refused in words, without the byte behind the backslash") {
    for (const std::string rest : {"", "\xC3\xA9\"}", "q\"}"}) {
        const auto errors = errors_of("log: {level: \"x\\" + rest);
        REQUIRE(errors.size() == 1);
        CHECK(errors[0].find("a backslash in double quotes begins no escape that YAML knows") !=
              std::string::npos);
        CHECK(std::ranges::all_of(errors[0], [](char byte) { return byte >= ' ' && byte <= '~'; }));
    }
}

TEST_CASE("an escape of which the library makes no character is refused in words") {
    for (const std::string escape : {"\\N", "\\_"}) {
        const auto errors = errors_of("log: {level: \"x" + escape + "\"}");
        REQUIRE(errors.size() == 1);
        CHECK(errors[0].find(R"(the escapes \N and \_ are not known here)") != std::string::npos);
        const auto key = errors_of("log: {\"x" + escape + "\": info}");
        REQUIRE(key.size() == 1);
        CHECK(std::ranges::all_of(key[0], [](char byte) { return byte >= ' ' && byte <= '~'; }));
    }
    CHECK(parsed(R"(containers: {cgroups: [{path: "/x\xa0\L"}]})").containers.cgroups.size() == 1);
}

TEST_CASE("a bomb of aliases does not go off") {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 30; ++i) {
        const std::string alias = "*a" + std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias;
        for (int j = 1; j < 10; ++j)
            text += ", " + alias;
        text += "]\n";
    }
    const auto start = std::chrono::steady_clock::now();
    const auto lines = errors_of(text);
    CHECK(std::chrono::steady_clock::now() - start < kBound);
    REQUIRE(lines.size() == 101);
    CHECK_THAT(lines[1], Catch::StartsWith("c.yaml:1:5: anchors (&name) are not allowed"));
}

TEST_CASE("64 KiB of anything come back at once") {
    for (const auto* part :
         {"[",    "{",         "- ",      "? ",       ": ",    "a: ",   "\n",   " ",     "\t",
          "[]",   "{},",       ",",       "'",        "\"",    "''",    "\"\n", "a\n\n", " a\n",
          "- \n", "a: b\n",    "? a\n",   "[\n",      "{\n",   "|\n",   ">\n",  "- |\n", "!",
          "! ",   "&a ",       "*a ",     "%a\n",     "---\n", "...\n", "#\n",  "a #",   "\"\\\n",
          "[?",   "- - - -\n", "{a: [\n", "\xC3\xA9", "[:",    "? - ",  "<<: "})
        for (const auto* start : {"", "a: ", "[ ", "\"", "a: |\n ", "{x: "}) {
            must_return(start + repeated(part, 4000));
            const std::string line = repeated(part, 3900) + "\n";
            must_return(start + repeated(line, 65000));
        }
}

TEST_CASE("samples that hung or crashed YAML parsers come back") {
    for (const auto* text : {"[:",
                             "{:",
                             "[[:",
                             "[:]",
                             "{:]",
                             "{!\xDB:",
                             ",",
                             "- !+(.,.)",
                             "!",
                             "!\n: |\nb\n>\n|\n  !\n>",
                             "{# ke\ny{:",
                             "<< : [:]ore-max-padding, *auto-init-128]",
                             "- a: (\n\"x\",\n    \"-c y\"\n    )  )\n",
                             "|+\n\n\n",
                             "{---",
                             "? \n? \n? ",
                             ": : :",
                             "&a &b c",
                             "!a !b c",
                             "*a : b",
                             "%YAML 1.2\n%YAML 1.2\n---",
                             "%TAG ! !\n",
                             "%YAML 99999999999.1\n---\n",
                             "\"\\U00110000\"",
                             "\"\\ud800\"",
                             "\"\\x",
                             "'",
                             "a: |99",
                             "a: >0\n",
                             "- - - -",
                             "{{{{{{}: }: }: }: }: ",
                             "\xEF\xBB\xBF\xEF\xBB\xBF"})
        must_return(text);
}

TEST_CASE("mutated configurations and random pieces of YAML come back") {
    static constexpr std::string_view kValid =
        "web: {listen: [\"127.0.0.1:9752\", ':0']}\ncontainers:\n  discover: [docker, lxc]\n  include:\n"
        "    - {name: \"web-*\", label: {a: b}}\n    - image: '[a-z]?'\n      cgroup: /a/**\n  cgroups:\n"
        "    - path: /x\n      name: y\n  roots: {docker: /d, podman: [/a, /b]}\n  max: 512\n  linger: 60s\n"
        "probes:\n  ledger: {enabled: true}\nlog:\n  level: info\n";
    static constexpr std::string_view kPieces[] = {
        "[",    "]",  "{",  "}",      ",",   ":",        ": ",  "? ", "- ",   "\n",
        "\n  ", " ",  "\t", "'",      "\"",  "\\",       "#",   " #", "|\n",  ">-\n",
        "!",    "&a", "*a", "!!str ", "---", "\n---\n",  "...", "~",  "<<: ", "\r\n",
        "@",    "%",  "a",  "key: ",  "0",   "\xC3\xA9", "\xFF"};
    std::mt19937 random(23);  // fixed, so that a failure can be repeated
    const auto below = [&](std::size_t bound) { return random() % bound; };
    for (int round = 0; round < 4000; ++round) {
        std::string text(round % 2 == 0 ? kValid : "");
        for (std::size_t edits = 1 + below(12); edits > 0; --edits) {
            const std::size_t at = below(text.size() + 1);
            const auto piece = kPieces[below(std::size(kPieces))];
            if (below(3) == 0)
                text.erase(at, below(20));
            else if (below(3) == 0)
                text.insert(at, text.substr(below(text.size() + 1), below(80)));
            else
                text.insert(at, piece);
        }
        must_return(text);
    }
}

}  // namespace
}  // namespace plimsoll
