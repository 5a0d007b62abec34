// SPDX-License-Identifier: Apache-2.0
// How descriptors are shared out.
#include "files/descriptors.h"

#include <catch2/catch.hpp>

#include <algorithm>

namespace plimsoll {
namespace {

TEST_CASE("each container's directories come before files, as long as a quarter is left to files") {
    const auto usual = keepable_descriptors(65536, 512);
    CHECK(usual.directories == 512 * 6);
    CHECK(usual.files == 65536 / 4 * 3 - usual.directories);
    const auto many = keepable_descriptors(20000, 5000);
    CHECK(many.directories == 11250);
    CHECK(many.files == 3750);
}

TEST_CASE("a quarter of the limit is left to everything else, of a low limit more") {
    for (const std::size_t containers : {1, 512, 100000}) {
        for (const std::size_t limit : {1024, 20000, 65536}) {
            const auto kept = keepable_descriptors(limit, containers);
            CHECK(kept.files + kept.directories <= limit - std::max<std::size_t>(limit / 4, 512));
            CHECK(kept.processes <= limit / 8);
        }
        const auto none = keepable_descriptors(512, containers);
        CHECK(none.files + none.directories + none.processes == 0);
    }
}

TEST_CASE("directories are taken from what is theirs, and given back there") {
    DescriptorBudget directories(1), files(1, &directories);
    CHECK(files.for_directories() == &directories);
    CHECK(directories.for_directories() == &directories);
    REQUIRE(files.for_directories()->take());
    CHECK_FALSE(files.for_directories()->take());
    CHECK(files.left() == 1);
    files.for_directories()->give_back();
    CHECK(directories.left() == 1);
}

}  // namespace
}  // namespace plimsoll
