// SPDX-License-Identifier: Apache-2.0
// Probes diskio, pressure, tasks and machine; the texts are those of real kernels.
#include <unistd.h>

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
    host.write_machine("sys/dev/block/7:0/uevent", "DEVNAME=loop0\n");
    host.write("unified", "io.stat", "7:0 rbytes=4096 wbytes=0 rios=1 wios=0\n");
    CHECK(host.sample()[fs("reads", "/dev/loop0")] == 1);
    host.write_machine("sys/dev/block/7:0/uevent", "");
    host.write("unified", "io.stat", "");
    CHECK(host.sample()[fs("reads", "/dev/loop0")] == 1);
    host.write_machine("sys/dev/block/7:0/uevent", "DEVNAME=other\n");
    CHECK(host.sample()[fs("reads", "/dev/other")] == 1);
    host.remove("unified/c");
    CHECK(host.sample()[fs("reads", "/dev/other")] == 1);
}

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

TEST_CASE("the machine has CPUs, memory and swap, without a container's labels") {
    Fixture host(make_machine_probe(), Host::v2);
    host.write_machine("proc/meminfo", "MemTotal:       24682416 kB\nSwapTotal:             0 kB\n");
    const auto cpus = static_cast<std::uint64_t>(sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(host.sample_as("/", 1) == Page{{"machine_cpu_cores", cpus},
                                         {"machine_memory_bytes", 24682416ULL * 1024},
                                         {"machine_swap_bytes", 0}});
    host.write_machine("proc/meminfo", "MemTotal: lots\n");
    CHECK(host.sample_as("/", 1) == Page{{"machine_cpu_cores", cpus}});
}

}  // namespace
}  // namespace plimsoll
