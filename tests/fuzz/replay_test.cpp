// SPDX-License-Identifier: Apache-2.0
// Gives every fuzzer its corpus again, with any compiler and sanitizer: what was once found stays fixed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "fuzz/targets.h"

namespace plimsoll {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(PLIMSOLL_SOURCE_DIR) / "tests/fuzz/corpus";

std::vector<fs::path> files_of(std::string_view fuzzer) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(kCorpus / fuzzer)) {
        files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

std::string content_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    REQUIRE(stream);
    return {std::istreambuf_iterator<char>(stream), {}};
}

TEST_CASE("everything in the corpus of each fuzzer holds", "[fuzz]") {
    const auto& target = GENERATE(from_range(std::begin(fuzz::kTargets), std::end(fuzz::kTargets)));
    CAPTURE(target.name);
    const auto files = files_of(target.name);
    REQUIRE(!files.empty());
    for (const auto& file : files) {
        const std::string input = content_of(file);
        CAPTURE(file.filename());
        CHECK(input.size() <= target.longest);
        CHECK_NOTHROW(target.run(input));
    }
}

TEST_CASE("every directory of the corpus belongs to a fuzzer", "[fuzz]") {
    std::set<std::string> known, there;
    for (const auto& target : fuzz::kTargets) {
        known.emplace(target.name);
    }
    for (const auto& entry : fs::directory_iterator(kCorpus)) {
        there.insert(entry.path().filename().string());
    }
    CHECK(there == known);
}

TEST_CASE("every fuzzer takes nothing, and bytes of one kind", "[fuzz]") {
    for (const auto& target : fuzz::kTargets) {
        CAPTURE(target.name);
        CHECK_NOTHROW(target.run(""));
        for (const char byte : {'\0', '\n', '/', '"', '\\', '{', '\x7F', '\xFF'}) {
            CHECK_NOTHROW(target.run(std::string(target.longest, byte)));
        }
    }
}

}  // namespace
}  // namespace plimsoll
