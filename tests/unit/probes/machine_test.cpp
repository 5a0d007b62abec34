// SPDX-License-Identifier: Apache-2.0
// Probe machine; the texts are those of real kernels.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

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
