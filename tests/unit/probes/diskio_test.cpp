// SPDX-License-Identifier: Apache-2.0
// Probe diskio; the texts are those of real kernels.
#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

std::string fs(const char* what, const char* device) {
    return std::string("container_fs_") + what + "_total{device=\"" + device + "\"}";
}

TEST_CASE("diskio on v2: devices by name, on first use only") {
    Fixture host(make_diskio_probe(), Host::v2);
    host.write_machine("sys/dev/block/254:0/uevent", "MAJOR=254\nMINOR=0\nDEVNAME=vda\nDEVTYPE=disk\n");
    host.write("unified", "io.stat", "");
    CHECK(host.sample().empty());
    host.write("unified", "io.stat",
               "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
               "8:0 rbytes=0 wbytes=0 rios=0 wios=0 dbytes=0 dios=0\n"
               "9:1 rbytes=512 wbytes=0 rios=3 wios=0 dbytes=0 dios=0\n");
    CHECK(host.sample() == Page{{fs("reads_bytes", "/dev/vda"), 4096},
                                {fs("writes_bytes", "/dev/vda"), 8192},
                                {fs("reads", "/dev/vda"), 1},
                                {fs("writes", "/dev/vda"), 2},
                                {fs("reads_bytes", "9:1"), 512},
                                {fs("writes_bytes", "9:1"), 0},
                                {fs("reads", "9:1"), 3},
                                {fs("writes", "9:1"), 0}});
}

TEST_CASE("diskio on v1: the recursive files, else the others") {
    Fixture host(make_diskio_probe(), Host::v1);
    host.make("memory");
    host.write_machine("sys/dev/block/8:0/uevent", "DEVNAME=sd\"a\n");
    host.write("blkio", "blkio.throttle.io_service_bytes", "8:0 Read 100\n8:0 Write 200\nTotal 300\n");
    host.write("blkio", "blkio.throttle.io_serviced", "8:0 Read 1\n8:0 Write 2\nTotal 3\n");
    const char* name = "/dev/sd\\\"a";
    const Page own{{fs("reads_bytes", name), 100},
                   {fs("writes_bytes", name), 200},
                   {fs("reads", name), 1},
                   {fs("writes", name), 2}};
    CHECK(host.sample() == own);
    CHECK(host.sample() == own);
    Fixture recursive(make_diskio_probe(), Host::v1);
    recursive.make("memory");
    recursive.write("blkio", "blkio.throttle.io_service_bytes", "8:0 Read 100\n");
    recursive.write("blkio", "blkio.throttle.io_service_bytes_recursive",
                    "8:0 Read 1000\n8:0 Write 0\n8:0 Sync 9\n8:0 Total 1000\nTotal 1000\n");
    recursive.write("blkio", "blkio.throttle.io_serviced_recursive", "8:0 Read 10\n8:x Write 7\n");
    CHECK(recursive.sample()[fs("reads_bytes", "8:0")] == 1000);
    CHECK(recursive.sample()[fs("reads", "8:0")] == 10);
}

TEST_CASE("a device that is gone keeps its name and its counters; a number's new owner has its own") {
    Fixture host(make_diskio_probe(), Host::v2);
    const auto make = [&](const char* number, const std::string& name) {
        host.write_machine(std::string("sys/dev/block/") + number + "/uevent", "DEVNAME=" + name + "\n");
    };
    const auto count = [&](const std::string& text) { host.write("unified", "io.stat", text); };
    make("7:0", "loop0");
    count("7:0 rbytes=4096 wbytes=0 rios=10 wios=0\n");
    CHECK(host.sample()[fs("reads", "/dev/loop0")] == 10);
    host.write_machine("sys/dev/block/7:0/uevent", "");
    count("");
    CHECK(host.sample()[fs("reads", "/dev/loop0")] == 10);

    make("7:0", "other");
    count("7:0 rbytes=4096 wbytes=0 rios=1 wios=0\n");
    auto page = host.sample();
    CHECK(page[fs("reads", "/dev/other")] == 1);
    CHECK(page[fs("reads", "/dev/loop0")] == 10);

    SECTION("the same name under another number goes on") {
        make("7:1", "loop0");
        count("7:1 rbytes=4096 wbytes=0 rios=5 wios=0\n7:0 rbytes=4096 wbytes=0 rios=2 wios=0\n");
        page = host.sample();
        CHECK(page[fs("reads", "/dev/loop0")] == 15);
        CHECK(page[fs("reads", "/dev/other")] == 2);
    }
    SECTION("made anew between two samples, it goes on") {
        count("7:0 rbytes=512 wbytes=7 rios=1 wios=1\n");
        page = host.sample();
        CHECK(page[fs("reads_bytes", "/dev/other")] == 4096 + 512);
        CHECK(page[fs("reads", "/dev/other")] == 2);
        CHECK(page[fs("writes", "/dev/other")] == 1);
    }
    page = host.sample();
    host.remove("unified/c");
    CHECK(host.sample() == page);
}

}  // namespace
}  // namespace plimsoll
