// SPDX-License-Identifier: Apache-2.0
// Probe pressure; the texts are those of real kernels.
#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

TEST_CASE("pressure: some is waiting, full is stalled, and no file is no series") {
    Fixture host(make_pressure_probe(), Host::hybrid);
    host.write("unified", "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=395721\n");
    host.write("unified", "memory.pressure",
               "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
               "total=4\n");
    CHECK(host.sample() == Page{{"container_pressure_cpu_waiting_seconds_total", 395721000},
                                {"container_pressure_memory_waiting_seconds_total", 5000},
                                {"container_pressure_memory_stalled_seconds_total", 4000}});
    Fixture off(make_pressure_probe(), Host::v2);
    off.make("unified");
    CHECK(off.sample().empty());
    Fixture v1(make_pressure_probe(), Host::v1);
    v1.make("memory");
    CHECK(v1.sample().empty());
}

TEST_CASE("pressure: what was read in a rest holds as long as the rest") {
    Fixture host(make_pressure_probe(), Host::v2);
    const auto total = [&](const std::string& number) {
        host.write("unified", "cpu.pressure",
                   "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + number + "\n");
    };
    const auto shown = [&] { return host.sample().at("container_pressure_cpu_waiting_seconds_total"); };
    total("1");
    CHECK(shown() == 1000);
    total("2");
    CHECK(shown() == 2000);
    host.rest(1);
    total("3");
    CHECK(shown() == 3000);  // it was not read in this rest yet
    total("4");
    CHECK(shown() == 3000);
    host.rest(2);
    CHECK(shown() == 4000);
    host.rest(kNoRest);
    total("5");
    CHECK(shown() == 5000);
    host.rest(3);
    CHECK(shown() == 5000);
    host.remove("unified/c");
    CHECK(host.sample_as("/c", host.last_id(), true) ==
          Page{{"container_pressure_cpu_waiting_seconds_total", 5000}});
}

}  // namespace
}  // namespace plimsoll
