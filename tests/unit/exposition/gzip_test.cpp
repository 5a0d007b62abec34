// SPDX-License-Identifier: Apache-2.0
#include "exposition/gzip.h"

#include <catch2/catch.hpp>
#include <random>

#include "gunzip.h"

namespace plimsoll {
namespace {

std::string packed(GzipEncoder& encoder, const std::string& text, std::size_t piece) {
    std::string out = "what was there before";
    encoder.start(out);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        encoder.append(std::string_view(text).substr(at, piece));
    }
    encoder.finish();
    return out;
}

/// Half of it repeats itself, half of it cannot be packed.
std::string mixed(std::size_t size) {
    std::mt19937 random(7);
    std::string text;
    while (text.size() < size) {
        text += "container_thread_seconds_total{id=\"";
        for (int i = 0; i < 40; ++i) {
            text += static_cast<char>(random());
        }
    }
    return text;
}

}  // namespace

TEST_CASE("A stream unpacks to what was packed, whatever the pieces") {
    GzipEncoder encoder;
    const std::string text = mixed(1'000'000);
    for (const std::size_t piece : {std::size_t{997}, std::size_t{65536}, text.size()}) {
        const std::string out = packed(encoder, text, piece);
        CHECK(out.size() < text.size());
        CHECK(testing::gunzip(out, text.size()) == text);
    }
    CHECK(testing::gunzip(packed(encoder, "", 1), 10).empty());
}

}  // namespace plimsoll
