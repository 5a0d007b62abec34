// SPDX-License-Identifier: Apache-2.0
#include "exposition/negotiate.h"

#include <catch2/catch.hpp>
#include <string>

namespace plimsoll {
namespace {

std::string_view type(std::string_view accept) {
    return negotiate(accept, "").content_type;
}

bool gzip(std::string_view accept_encoding) {
    return negotiate("", accept_encoding).gzip;
}

constexpr std::string_view kText = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpen1 = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kOpen0 = "application/openmetrics-text; version=0.0.1; charset=utf-8";

}  // namespace

TEST_CASE("What Prometheus sends gets OpenMetrics 1.0.0") {
    CHECK(type("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
               "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == kOpen1);
    CHECK(type("application/"
               "vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
               "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2") == kOpen1);
    CHECK(negotiate("application/openmetrics-text", "").format == TextFormat::openmetrics);
}

TEST_CASE("A browser, curl and a client that says nothing get text 0.0.4") {
    CHECK(type("") == kText);
    CHECK(type("*/*") == kText);
    CHECK(type("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8") == kText);
    CHECK(type("image/png") == kText);
    CHECK(negotiate("", "").format == TextFormat::prometheus);
}

TEST_CASE("OpenMetrics needs a quality no lower than that of text/plain") {
    CHECK(type("application/openmetrics-text;q=0.5,text/plain;q=0.6") == kText);
    CHECK(type("application/openmetrics-text;q=0.6,text/plain;q=0.6") == kOpen1);
    CHECK(type("text/plain, application/openmetrics-text") == kOpen1);
    CHECK(type("application/openmetrics-text;q=0") == kText);
    CHECK(type("application/openmetrics-text;q=0.000, text/plain;q=0") == kText);
}

TEST_CASE("Only versions of OpenMetrics that we write are given") {
    CHECK(type("application/openmetrics-text;version=0.0.1") == kOpen0);
    CHECK(type("application/openmetrics-text; version=\"1.0.0\"") == kOpen1);
    CHECK(type("application/openmetrics-text;version=2.0.0") == kText);
    CHECK(type("application/openmetrics-text;version=0.0.1;q=0.9,application/openmetrics-text;q=0.1") ==
          kOpen0);
}

TEST_CASE("Names and parameters are compared without case and around white space") {
    CHECK(type("\t APPLICATION/OpenMetrics-Text ; Version = 1.0.0 ; Q = 0.9 , text/plain;q=0.1") == kOpen1);
    CHECK(gzip(" GZip ; q=0.3 "));
}

TEST_CASE("A quality that is none means not wanted") {
    for (const char* q : {"", "x", "1.1", "-1", "nan", "inf", "1e0", "0.5x", "0x1"}) {
        CHECK(type(std::string("application/openmetrics-text;q=") + q) == kText);
        CHECK_FALSE(gzip(std::string("gzip;q=") + q));
    }
}

TEST_CASE("gzip is used only when asked for") {
    CHECK_FALSE(gzip(""));
    CHECK_FALSE(gzip("identity"));
    CHECK_FALSE(gzip("deflate, br"));
    CHECK_FALSE(gzip("notgzip"));
    CHECK(gzip("gzip"));
    CHECK(gzip("deflate, gzip;q=1.0, *;q=0.5"));
    CHECK(gzip("x-gzip"));
}

TEST_CASE("A quality of 0 forbids gzip, and a star stands for what is not named") {
    CHECK_FALSE(gzip("gzip;q=0"));
    CHECK_FALSE(gzip("gzip;q=0.000"));
    CHECK_FALSE(gzip("gzip;q=0, *"));
    CHECK(gzip("*"));
    CHECK_FALSE(gzip("*;q=0"));
    CHECK_FALSE(gzip("identity, gzip;q=0.5"));
    CHECK(gzip("identity;q=0.5, gzip"));
}

TEST_CASE("Hostile headers are read up to a bound") {
    const std::string endless(1'000'000, ',');
    CHECK(type(endless + "application/openmetrics-text") == kText);
    CHECK_FALSE(gzip(endless + "gzip"));
    CHECK(type(std::string(1'000'000, ';')) == kText);
    CHECK(type(std::string(1'000'000, '=')) == kText);
    CHECK(type("application/openmetrics-text," + endless) == kOpen1);
}

}  // namespace plimsoll
