// SPDX-License-Identifier: Apache-2.0
// Probe tasks; the texts are those of real kernels.
#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

TEST_CASE("the limit of threads: a number, max as 0, garbage as nothing") {
    for (const Host kind : {Host::v1, Host::hybrid, Host::v2}) {
        Fixture host(make_tasks_probe(), kind);
        host.make(kind == Host::v1 ? "memory" : "unified");
        const auto* place = kind == Host::v2 ? "unified" : "pids";
        CHECK(host.sample().empty());
        host.write(place, "pids.max", "max\n");
        CHECK(host.sample() == Page{{"container_threads_max", 0}});
        host.write(place, "pids.max", "4915\n");
        CHECK(host.sample() == Page{{"container_threads_max", 4915}});
        host.write(place, "pids.max", "many\n");
        CHECK(host.sample().empty());
    }
}

TEST_CASE("the limit of threads in a rest is read again when it is written") {
    Fixture host(make_tasks_probe(), Host::v2);
    host.write("unified", "pids.max", "23\n");
    host.link("cgroup/unified/c/pids.max", "elsewhere");
    host.rest(1);
    CHECK(host.sample() == Page{{"container_threads_max", 23}});
    host.write_machine("elsewhere", "29\n");
    CHECK(host.sample() == Page{{"container_threads_max", 23}});
    host.write("unified", "pids.max", "31\n");
    CHECK(host.sample() == Page{{"container_threads_max", 31}});
    host.write_machine("elsewhere", "37\n");
    host.rest(2);
    CHECK(host.sample() == Page{{"container_threads_max", 37}});
}

TEST_CASE("the limit of threads of a scope that crun made is that of the cgroup in it, if it has one") {
    const std::string scope = "/machine.slice/libpod-1.scope";
    for (const Host kind : {Host::v1, Host::hybrid, Host::v2}) {
        Fixture host(make_tasks_probe(), kind);
        host.make(kind == Host::v1 ? "memory" : "unified", scope);
        const auto* place = kind == Host::v2 ? "unified" : "pids";
        host.write(place, "pids.max", "4915\n", scope);
        CHECK(host.sample(scope) == Page{{"container_threads_max", 4915}});
        host.write(place, "container/pids.max", "2048\n", scope);
        CHECK(host.sample(scope) == Page{{"container_threads_max", 2048}});
        host.write(place, "container/pids.max", "max\n", scope);
        CHECK(host.sample(scope) == Page{{"container_threads_max", 4915}});
    }

    Fixture other(make_tasks_probe(), Host::v2);  // a container's own cgroup of that name is another matter
    other.write("unified", "pids.max", "23\n");
    other.write("unified", "container/pids.max", "29\n");
    CHECK(other.sample() == Page{{"container_threads_max", 23}});
}

}  // namespace
}  // namespace plimsoll
