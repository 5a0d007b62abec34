// SPDX-License-Identifier: Apache-2.0
// What was written is told, to whom it concerns.
#include "files/write_watch.h"

#include <catch2/catch.hpp>

#include <filesystem>

#include "../containers/fixture.h"

namespace plimsoll {
namespace {

using container_test::Directory;

TEST_CASE("a write is told for its directory and for no other") {
    const Directory tree;
    tree.write("a/limit", "1");
    tree.write("b/limit", "1");
    WriteWatch watch;
    const auto a = watch.add(tree.path("a").c_str()), b = watch.add(tree.path("b").c_str());
    const auto a_before = a.writes(), b_before = b.writes();
    REQUIRE(a_before);
    watch.collect();
    CHECK(a.writes() == a_before);
    tree.write("a/limit", "2");
    watch.collect();
    CHECK(a.writes() > a_before);
    CHECK(b.writes() == b_before);
}

TEST_CASE("more writes than the kernel keeps are told for all directories") {
    const Directory tree;
    tree.write("a/limit", "1");
    tree.write("b/1", "");
    tree.write("b/2", "");
    WriteWatch watch;
    const auto a = watch.add(tree.path("a").c_str()), b = watch.add(tree.path("b").c_str());
    const auto before = a.writes();
    for (int i = 0; i < 20000; ++i) {  // in turn: equal ones in a row are told once
        tree.write(i % 2 == 0 ? "b/1" : "b/2", "x");
    }
    watch.collect();
    CHECK(a.writes() > before);
}

TEST_CASE("nothing is told of a directory that is gone, or is none") {
    const Directory tree;
    tree.write("a/limit", "1");
    WriteWatch watch;
    const auto a = watch.add(tree.path("a").c_str());
    std::filesystem::remove_all(tree.path("a"));
    watch.collect();
    CHECK_FALSE(a.writes());
    CHECK_FALSE(watch.add(tree.path("none").c_str()).writes());
}

TEST_CASE("a place may outlive its watch") {
    const Directory tree;
    tree.write("a/limit", "1");
    WriteWatch::Place place;
    {
        WriteWatch watch;
        place = watch.add(tree.path("a").c_str());
    }
    CHECK(place.writes());
    place.reset();
    CHECK_FALSE(place.writes());
}

}  // namespace
}  // namespace plimsoll
