// SPDX-License-Identifier: Apache-2.0
#include "containers/glob.h"

#include <catch2/catch.hpp>
#include <ctime>
#include <string>

using namespace plimsoll;

namespace {
bool text(std::string_view pattern, std::string_view subject) {
    return Glob(pattern, GlobKind::text).matches(subject);
}
bool path(std::string_view pattern, std::string_view subject) {
    return Glob(pattern, GlobKind::path).matches(subject);
}
}  // namespace

TEST_CASE("a glob matches the whole text, byte by byte") {
    CHECK(text("", ""));
    CHECK(text("web", "web"));
    CHECK_FALSE(text("web", "web2"));
    CHECK_FALSE(text("web", "we"));
    CHECK(text("*", ""));
    CHECK(text("*web*", "my-web-1"));
    CHECK(text("w?b", "wxb"));
    CHECK_FALSE(text("w?b", "wb"));
    CHECK(text("docker.io/*:1.2?", "docker.io/library/nginx:1.25"));
    CHECK(text("a*b*c", "a-b-b-c"));
    CHECK_FALSE(text("a*b*c", "a-c-b"));
}

TEST_CASE("sets match one byte, by range, negated, and with a bracket or a dash in them") {
    CHECK(text("web-[0-9]", "web-7"));
    CHECK_FALSE(text("web-[0-9]", "web-x"));
    CHECK(text("[!a-c]", "d"));
    CHECK_FALSE(text("[^a-c]", "b"));
    CHECK(text("[]x]", "]"));
    CHECK(text("[a-]", "-"));
    CHECK(text("[*]", "*"));
    CHECK_FALSE(text("[*]", "x"));
    CHECK(text("[\xf0-\xff]", "\xfe"));
}

TEST_CASE("backslashes are ordinary bytes, as in the names that systemd escapes") {
    CHECK(path("/machine.slice/machine-a\\x2db.scope", "/machine.slice/machine-a\\x2db.scope"));
}

TEST_CASE("in a path one star stays within a directory and two cross directories") {
    CHECK(path("/docker/*", "/docker/abc"));
    CHECK_FALSE(path("/docker/*", "/docker/abc/def"));
    CHECK(path("/docker/**", "/docker/abc/def"));
    CHECK(path("/**/x.service", "/a.slice/b.slice/x.service"));
    CHECK(path("/*/*/c", "/a/b/c"));
    CHECK_FALSE(path("/*/c", "/a/b/c"));
    CHECK_FALSE(path("/a?b", "/a/b"));
    CHECK_FALSE(path("/a[!x]b", "/a/b"));
    CHECK(path("/a[!x]b", "/ayb"));
    CHECK(path("/**/b*/c", "/b/x/bb/c"));
}

TEST_CASE("a pattern made to backtrack takes time in proportion to the text") {
    std::string pattern;
    for (int i = 0; i < 100; ++i) {
        pattern += i % 2 ? "*a" : "**a";
    }
    const auto cpu_ns = [&](std::size_t length) {
        timespec before{}, after{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        CHECK_FALSE(path(pattern + "b", std::string(length, 'a')));
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        return static_cast<double>(after.tv_sec - before.tv_sec) * 1e9 +
               static_cast<double>(after.tv_nsec - before.tv_nsec);
    };
    cpu_ns(500);                                // warms up
    CHECK(cpu_ns(4000) < 5 * 8 * cpu_ns(500));  // 8 times the text; one that backtracks would never end
}

TEST_CASE("only patterns that can be meant are valid") {
    for (const auto* good : {"", "*", "**", "[a-z]", "[!x]", "[]]", "a]b", "\\x2d", "[a-]"}) {
        INFO(good);
        CHECK(valid_glob(good));
    }
    for (const auto* bad : {"[", "a[b", "[]", "[!]", "[z-a]", "x[a-z"}) {
        INFO(bad);
        CHECK_FALSE(valid_glob(bad));
    }
    CHECK(valid_glob(std::string(4096, 'x')));
    CHECK_FALSE(valid_glob(std::string(4097, 'x')));
}

TEST_CASE("a malformed pattern still matches something sensible") {
    CHECK(text("a[b", "a[b"));
    CHECK_FALSE(text("[z-a]", "m"));
}
