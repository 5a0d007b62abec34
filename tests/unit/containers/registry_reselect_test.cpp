// SPDX-License-Identifier: Apache-2.0
// The rules of selection change while containers are watched.
#include <catch2/catch.hpp>

#include "containers/registry.h"
#include "fake_slot_map.h"

namespace plimsoll {
namespace {

using container_test::kRoot;
using container_test::kSecond;
using container_test::RegistryFixture;

struct Tree : RegistryFixture {
    Tree() {
        for (const auto& [id, parent, path] : kCgroups) {
            make(id, parent, path);
        }
    }
    void reselect() {
        for (const auto& [id, parent, path] : kCgroups) {
            registry.reselect({id, parent, path}, now);
        }
    }
    struct Made {
        std::uint64_t id, parent;
        const char* path;
    };
    static constexpr Made kCgroups[]{
        {10, kRoot, "/c1"},           {11, 10, "/c1/child"},
        {12, 11, "/c1/child/nested"}, {13, 12, "/c1/child/nested/leaf"},
        {20, kRoot, "/c2"},           {30, kRoot, "/other"},
        {31, 30, "/other/child"},
    };
};

TEST_CASE("the same rules change nothing") {
    Tree tree;
    const Handle first = tree.find("/c1")->handle;
    const std::uint64_t revision = tree.registry.revision();
    const std::size_t draining = tree.registry.draining();
    const char* path = tree.find("/c1/child/nested")->container.cgroup.data();  // too long to be kept inside
    tree.reselect();
    CHECK(tree.registry.revision() == revision);
    CHECK(tree.find("/c1")->handle == first);
    CHECK(tree.registry.added() == 3);
    CHECK(tree.registry.removed() == 0);
    CHECK(tree.registry.draining() == draining);
    CHECK(tree.find("/c1/child/nested")->container.cgroup.data() ==
          path);  // samples of this revision point to it
}

TEST_CASE("who is refused ends, with what is below; who is nested in it stays, and so do all others") {
    Tree tree;
    const Handle nested = tree.find("/c1/child/nested")->handle, other = tree.find("/c2")->handle;
    tree.refused = {"/c1"};
    tree.reselect();
    CHECK(tree.find("/c1")->ended_ns);
    CHECK_FALSE(tree.registry.knows(10));
    CHECK_FALSE(tree.registry.knows(11));
    CHECK_FALSE(tree.kernel.find(10));
    CHECK(tree.registry.needs_visit());
    CHECK(tree.find("/c1/child/nested")->handle == nested);
    CHECK_FALSE(tree.find("/c1/child/nested")->ended_ns);
    CHECK(tree.kernel.slot_of(13) == tree.find("/c1/child/nested")->slot);
    CHECK(tree.find("/c2")->handle == other);
    CHECK(tree.registry.removed() == 1);
    tree.pass(RegistryFixture::kLinger);
    CHECK(tree.find("/c1") == nullptr);
}

TEST_CASE("what was in a container that is none any more belongs to the one around it") {
    Tree tree;
    const std::uint32_t outer = tree.find("/c1")->slot;
    tree.refused = {"/c1/child/nested"};
    tree.reselect();
    CHECK(tree.find("/c1/child/nested")->ended_ns);
    CHECK(tree.kernel.slot_of(12) == outer);
    CHECK(tree.kernel.slot_of(13) == outer);
}

TEST_CASE("who is refused no longer begins anew, and takes what is below it") {
    Tree tree;
    tree.refused = {"/c1/child/nested", "/c2"};
    tree.reselect();
    tree.pass(kSecond);
    tree.refused = {};
    tree.reselect();
    const std::uint32_t nested = tree.find("/c1/child/nested")->slot;
    CHECK_FALSE(tree.find("/c1/child/nested")->ended_ns);
    CHECK(tree.kernel.slot_of(12) == nested);
    CHECK(tree.kernel.slot_of(13) == nested);
    CHECK_FALSE(tree.find("/c2")->ended_ns);
    CHECK(tree.find("/c2")->found_late);
    CHECK(tree.registry.shown().size() == 3);  // the ones that had ended are replaced
    CHECK(tree.registry.added() == 5);
}

TEST_CASE("who has another name keeps all but that") {
    Tree tree;
    const Watched before = *tree.find("/c1");
    tree.prefix = "new-";
    tree.reselect();
    const Watched* after = tree.find("/c1");
    CHECK(after->handle == before.handle);
    CHECK(after->slots == before.slots);
    CHECK(*after->rendered.labels == "new-c1");
    CHECK(tree.registry.removed() == 0);
}

TEST_CASE("who shares the overflow slot leaves it when it is refused") {
    RegistryFixture fixture(1, 4);
    fixture.make(10, kRoot, "/c1");
    fixture.make(20, kRoot, "/c2");
    CHECK(fixture.registry.overflowing() == 1);
    fixture.refused = {"/c2"};
    fixture.registry.reselect({10, kRoot, "/c1"}, fixture.now);
    fixture.registry.reselect({20, kRoot, "/c2"}, fixture.now);
    CHECK(fixture.registry.overflowing() == 0);
    CHECK_FALSE(fixture.registry.knows(20));
    CHECK(fixture.registry.removed() == 1);
}

}  // namespace
}  // namespace plimsoll
