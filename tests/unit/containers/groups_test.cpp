// SPDX-License-Identifier: Apache-2.0
#include "containers/groups.h"

#include <catch2/catch.hpp>
#include <set>

namespace plimsoll {
namespace {

Watched live(const std::string& cgroup, const std::string& pod = "") {
    Watched watched;
    watched.container.cgroup = cgroup;
    watched.container.pod = pod;
    watched.container.pod_uid = pod.empty() ? "" : "uid-" + pod;
    watched.container.name = "a container's own";
    watched.cgroup_id = 1;
    return watched;
}

struct Fixture {
    std::map<std::string, std::uint64_t> ids{{"/", 1}};
    std::set<Handle> forgotten;
    Groups groups{{.id_of = [this](const std::string& path) -> std::optional<std::uint64_t> {
                       const auto found = ids.find(path);
                       return found == ids.end() ? std::nullopt : std::optional(found->second);
                   },
                   .render =
                       [](const Container& container) {
                           return RenderedLabels{
                               std::make_shared<const std::string>(container.cgroup + "|" + container.pod +
                                                                   "|" + container.name),
                               ""};
                       },
                   .forget = [this](Handle handle) { forgotten.insert(handle); }}};

    std::vector<std::string> update(const std::vector<Watched>& containers) {
        std::vector<const Watched*> shown;
        for (const auto& container : containers) {
            shown.push_back(&container);
        }
        groups.update(shown);
        std::vector<std::string> labels;
        for (const auto& group : groups.all()) {
            labels.push_back(*group.labels);
        }
        return labels;
    }
};

using Labels = std::vector<std::string>;

TEST_CASE("the root, slices and pods around containers are groups, other cgroups are not") {
    Fixture fixture;
    fixture.ids = {
        {"/", 1}, {"/system.slice", 2}, {"/kubepods", 3}, {"/kubepods/poduid-x", 4}, {"/docker", 5}};
    CHECK(fixture.update({}) == Labels{"/||"});
    const auto labels = fixture.update(
        {live("/system.slice/a.service"), live("/kubepods/poduid-x/c1", "x"), live("/docker/c2")});
    CHECK(labels == Labels{"/||", "/kubepods/poduid-x|x|", "/system.slice||"});
}

TEST_CASE("a container knows its pod's group") {
    Fixture fixture;
    fixture.ids = {{"/", 1}, {"/kubepods/poduid-x", 4}};
    const Watched inside = live("/kubepods/poduid-x/c1", "x"), outside = live("/docker/c2");
    fixture.update({inside, outside});
    CHECK(fixture.groups.pod_of(inside.container) == 1);
    CHECK_FALSE(fixture.groups.pod_of(outside.container));
}

TEST_CASE("a watched slice is a container and no group, and nobody's group is forgotten") {
    Fixture fixture;
    fixture.ids = {{"/", 1}, {"/a.slice", 2}};
    CHECK(fixture.update({live("/a.slice/b.service")}) == Labels{"/||", "/a.slice||"});
    const Handle handle = fixture.groups.all()[1].handle;
    CHECK(fixture.update({live("/a.slice/b.service"), live("/a.slice")}) == Labels{"/||"});
    CHECK(fixture.forgotten == std::set<Handle>{handle});
}

TEST_CASE("a group keeps its handle until its cgroup is made anew or its last container has ended") {
    Fixture fixture;
    fixture.ids = {{"/", 1}, {"/a.slice", 2}};
    Watched container = live("/a.slice/b.service");
    fixture.update({container});
    const Handle first = fixture.groups.all()[1].handle;
    fixture.update({container});
    CHECK(fixture.groups.all()[1].handle == first);
    CHECK(fixture.forgotten.empty());
    fixture.ids["/a.slice"] = 3;
    fixture.update({container});
    CHECK(fixture.groups.all()[1].handle != first);
    CHECK(fixture.forgotten == std::set<Handle>{first});
    container.ended_ns = 5;
    CHECK(fixture.update({container}) == Labels{"/||"});
}

}  // namespace
}  // namespace plimsoll
