// SPDX-License-Identifier: Apache-2.0
// Probe memory on v1 and v2 hosts and for the root; the texts are those of real kernels.
#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

std::string faults(const char* type, const char* scope) {
    return std::string("container_memory_failures_total{failure_type=\"") + type + "\",scope=\"" + scope +
           "\"}";
}

void write_v1(Fixture& host) {
    host.write("memory", "memory.usage_in_bytes", "589824\n");
    host.write("memory", "memory.max_usage_in_bytes", "2252800\n");
    host.write("memory", "memory.failcnt", "17\n");
    host.write("memory", "memory.kmem.usage_in_bytes", "282624\n");
    host.write("memory", "memory.limit_in_bytes", "67108864\n");
    host.write("memory", "memory.memsw.limit_in_bytes", "9223372036854771712\n");
    host.write("memory", "memory.soft_limit_in_bytes", "33554432\n");
    host.write("memory", "memory.stat",
               "cache 1\nrss 2\nrss_huge 0\nshmem 0\nmapped_file 3\ndirty 4\nwriteback 5\n"
               "workingset_refault_anon 6\nworkingset_refault_file 7\nswap 8\npgpgin 58537\npgpgout 58537\n"
               "pgfault 807\npgmajfault 11\ninactive_anon 9\nactive_anon 0\ninactive_file 1\nactive_file 2\n"
               "unevictable 0\nhierarchical_memory_limit 67108864\nhierarchical_memsw_limit 5\n"
               "total_cache 8192\ntotal_rss 61440\ntotal_rss_huge 0\ntotal_shmem 0\ntotal_mapped_file 4096\n"
               "total_dirty 12288\ntotal_writeback 16384\ntotal_workingset_refault_anon 5\n"
               "total_workingset_refault_file 6\ntotal_swap 20480\ntotal_swapcached 0\ntotal_pgpgin 1\n"
               "total_pgfault 1607\ntotal_pgmajfault 23\ntotal_inactive_file 24576\n"
               "total_active_file 28672\ntotal_unevictable 0\n");
}

const Page kV1{{"container_memory_usage_bytes", 589824},
               {"container_memory_working_set_bytes", 565248},
               {"container_memory_rss", 61440},
               {"container_memory_cache", 8192},
               {"container_memory_swap", 20480},
               {"container_memory_mapped_file", 4096},
               {"container_memory_max_usage_bytes", 2252800},
               {"container_memory_kernel_usage", 282624},
               {"container_memory_total_active_file_bytes", 28672},
               {"container_memory_total_inactive_file_bytes", 24576},
               {"container_memory_file_dirty_bytes", 12288},
               {"container_memory_file_writeback_bytes", 16384},
               {"container_memory_failcnt", 17},
               {"container_memory_workingset_refault_file_total", 6},
               {"container_memory_workingset_refault_anon_total", 5},
               {"container_spec_memory_limit_bytes", 67108864},
               {"container_spec_memory_swap_limit_bytes", 0},
               {"container_spec_memory_reservation_limit_bytes", 33554432},
               {faults("pgfault", "container"), 807},
               {faults("pgfault", "hierarchy"), 1607},
               {faults("pgmajfault", "container"), 11},
               {faults("pgmajfault", "hierarchy"), 23}};

TEST_CASE("memory on v1, alone or beside v2: totals of the hierarchy, unlimited is 0") {
    for (const Host kind : {Host::v1, Host::hybrid}) {
        Fixture host(make_memory_probe(), kind);
        host.make("unified");
        write_v1(host);
        CHECK(host.sample() == kV1);
    }
}

TEST_CASE(
    "memory of a scope that crun made, on v1: the limits of the cgroup in it, and what it was refused") {
    const std::string scope = "/machine.slice/libpod-1.scope";
    Fixture host(make_memory_probe(), Host::v1);
    host.write("memory", "memory.usage_in_bytes", "1\n", scope);
    host.write("memory", "memory.failcnt", "17\n", scope);
    CHECK(host.sample(scope).at("container_memory_failcnt") == 17);
    host.write("memory", "container/memory.failcnt", "6\n", scope);
    CHECK(host.sample(scope).at("container_memory_failcnt") == 23);
    host.write("memory", "memory.limit_in_bytes", "9223372036854771712\n", scope);
    host.write("memory", "container/memory.limit_in_bytes", "33554432\n", scope);
    CHECK(host.sample(scope).at("container_spec_memory_limit_bytes") == 33554432);
    host.write("memory", "container/memory.limit_in_bytes", "9223372036854771712\n", scope);
    CHECK(host.sample(scope).at("container_spec_memory_limit_bytes") == 0);
    host.write("memory", "memory.limit_in_bytes", "67108864\n", scope);
    CHECK(host.sample(scope).at("container_spec_memory_limit_bytes") == 67108864);
}

TEST_CASE("memory on v2: cAdvisor's definitions, and what only v2 tells") {
    Fixture host(make_memory_probe(), Host::v2);
    host.write("unified", "memory.current", "1000000\n");
    host.write("unified", "memory.peak", "1500000\n");
    host.write("unified", "memory.swap.current", "4096\n");
    host.write("unified", "memory.max", "max\n");
    host.write("unified", "memory.swap.max", "8192\n");
    host.write("unified", "memory.min", "0\n");
    host.write("unified", "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 0\n");
    host.write("unified", "memory.stat",
               "anon 10\nfile 20\nkernel 30\nkernel_stack 0\nfile_mapped 40\nfile_dirty 50\n"
               "file_writeback 60\ninactive_file 2000000\nactive_file 70\nworkingset_refault_anon 80\n"
               "workingset_refault_file 90\npgscan 100\npgsteal 110\npgscan_kswapd 1\npgfault 120\n"
               "pgmajfault 130\n");
    CHECK(host.sample() == Page{{"container_memory_usage_bytes", 1000000},
                                {"container_memory_working_set_bytes", 0},  // never below
                                {"container_memory_rss", 10},
                                {"container_memory_cache", 20},
                                {"container_memory_swap", 4096},
                                {"container_memory_mapped_file", 40},
                                {"container_memory_max_usage_bytes", 1500000},
                                {"container_memory_kernel_usage", 30},
                                {"container_memory_total_active_file_bytes", 70},
                                {"container_memory_total_inactive_file_bytes", 2000000},
                                {"container_memory_file_dirty_bytes", 50},
                                {"container_memory_file_writeback_bytes", 60},
                                {"container_memory_failcnt", 3},
                                {"container_memory_events_high_total", 2},
                                {"container_memory_events_max_total", 3},
                                {"container_memory_pgscan_total", 100},
                                {"container_memory_pgsteal_total", 110},
                                {"container_memory_workingset_refault_file_total", 90},
                                {"container_memory_workingset_refault_anon_total", 80},
                                {"container_spec_memory_limit_bytes", 0},
                                {"container_spec_memory_swap_limit_bytes", 8192},
                                {"container_spec_memory_reservation_limit_bytes", 0},
                                {faults("pgfault", "container"), 120},
                                {faults("pgfault", "hierarchy"), 120},
                                {faults("pgmajfault", "container"), 130},
                                {faults("pgmajfault", "hierarchy"), 130}});
}

TEST_CASE("memory of a scope that crun made: usage is the scope's, limits are set one below") {
    Fixture host(make_memory_probe(), Host::v2);
    const std::string scope = "/machine.slice/libpod-1.scope";
    host.write("unified", "memory.current", "1000\n", scope);
    host.write("unified", "memory.max", "max\n", scope);
    host.write("unified", "memory.swap.max", "4096\n", scope);
    host.write("unified", "container/memory.current", "900\n", scope);
    host.write("unified", "container/memory.max", "33554432\n", scope);
    host.write("unified", "container/memory.swap.max", "max\n", scope);
    CHECK(host.sample(scope) == Page{{"container_memory_usage_bytes", 1000},
                                     {"container_memory_working_set_bytes", 1000},
                                     {"container_spec_memory_limit_bytes", 33554432},
                                     {"container_spec_memory_swap_limit_bytes", 4096}});
}

TEST_CASE("memory of an old kernel or with garbled files: absent, not zero") {
    Fixture host(make_memory_probe(), Host::v2);
    host.write("unified", "memory.current", "1000\n");
    host.write("unified", "memory.max", "lots\n");
    host.write("unified", "memory.min", "18446744073709551616\n");
    host.write("unified", "memory.stat", "anon\nfile -1\nunknown 7\ninactive_file 100\n\xff\n");
    CHECK(host.sample() == Page{{"container_memory_usage_bytes", 1000},
                                {"container_memory_working_set_bytes", 900},
                                {"container_memory_total_inactive_file_bytes", 100}});
    Fixture without(make_memory_probe(), Host::v2);
    without.make("unified");
    CHECK(without.sample().empty());
}

TEST_CASE("memory of the root is the machine's, and memory.stat is not read") {
    Fixture host(make_memory_probe(), Host::v1);
    host.write("memory", "memory.stat", "total_rss 666\ntotal_pgfault 666\n", "");
    host.write("memory", "memory.usage_in_bytes", "666\n", "");
    host.write_machine("proc/meminfo",
                       "MemTotal:       1000 kB\nMemFree:        1 kB\nBuffers:          20 kB\n"
                       "Cached:          300 kB\nSwapCached:        4 kB\nActive(file):   50 kB\n"
                       "Inactive(file):  60 kB\nSwapTotal:         700 kB\nSwapFree:          600 kB\n"
                       "Dirty:                 8 kB\nWriteback:             9 kB\nAnonPages:        100 kB\n"
                       "Mapped:            10 kB\n");
    host.write_machine("proc/vmstat",
                       "workingset_refault_anon 1\nworkingset_refault_file 2\npgfault 3\npgmajfault 4\n"
                       "pgsteal_kswapd 5\npgsteal_direct 6\npgscan_kswapd 7\npgscan_direct 8\n"
                       "pgscan_khugepaged 9\npgscan_direct_throttle 666\npgscan_anon 666\npgscan_file 666\n");
    constexpr std::uint64_t kKiB = 1024;
    CHECK(host.sample("/") == Page{{"container_memory_usage_bytes", 424 * kKiB},
                                   {"container_memory_working_set_bytes", 364 * kKiB},
                                   {"container_memory_rss", 100 * kKiB},
                                   {"container_memory_cache", 324 * kKiB},
                                   {"container_memory_swap", 100 * kKiB},
                                   {"container_memory_mapped_file", 10 * kKiB},
                                   {"container_memory_total_active_file_bytes", 50 * kKiB},
                                   {"container_memory_total_inactive_file_bytes", 60 * kKiB},
                                   {"container_memory_file_dirty_bytes", 8 * kKiB},
                                   {"container_memory_file_writeback_bytes", 9 * kKiB},
                                   {"container_memory_pgscan_total", 24},
                                   {"container_memory_pgsteal_total", 11},
                                   {"container_memory_workingset_refault_file_total", 2},
                                   {"container_memory_workingset_refault_anon_total", 1},
                                   {"container_spec_memory_limit_bytes", 1000 * kKiB},
                                   {"container_spec_memory_swap_limit_bytes", 700 * kKiB},
                                   {faults("pgfault", "container"), 3},
                                   {faults("pgfault", "hierarchy"), 3},
                                   {faults("pgmajfault", "container"), 4},
                                   {faults("pgmajfault", "hierarchy"), 4}});
}

TEST_CASE("a limit that is written shows at once; written where nobody is told, within a minute") {
    Fixture host(make_memory_probe(), Host::hybrid);
    host.make("unified");
    write_v1(host);
    const auto limit = [&] { return host.sample()["container_spec_memory_limit_bytes"]; };
    CHECK(limit() == 67108864);
    host.write("memory", "memory.limit_in_bytes", "134217728\n");
    CHECK(limit() == 134217728);
    CHECK(limit() == 134217728);
    host.link("cgroup/memory/c/memory.limit_in_bytes", "other");
    host.write_machine("other", "268435456\n");
    CHECK(limit() == 134217728);
    host.pass_seconds(61);
    CHECK(limit() == 268435456);
}

TEST_CASE("memory without descriptors to spare is the same") {
    Fixture host(make_memory_probe(), Host::v1);
    write_v1(host);
    for (const std::size_t descriptors : {0U, 1U, 2U, 5U}) {
        host.open(descriptors);
        CHECK(host.sample() == kV1);
        CHECK(host.descriptors_left() == 0);
        CHECK(host.sample() == kV1);
        host.probe().forget(1);
        CHECK(host.descriptors_left() == descriptors);
    }
}

TEST_CASE("a v1 directory made anew is read when the container lives, and not when it is another's") {
    Fixture host(make_memory_probe(), Host::hybrid);
    host.open(0);  // here a kept descriptor outlives its file, which the kernel's cgroup files don't allow
    host.make("unified");
    write_v1(host);
    CHECK(host.sample()["container_memory_failcnt"] == 17);
    host.remove("memory/c");
    const Page left = host.sample();
    CHECK(left.contains("container_memory_failcnt"));
    CHECK_FALSE(left.contains("container_memory_usage_bytes"));
    write_v1(host);
    host.write("memory", "memory.failcnt", "18\n");
    CHECK(host.sample()["container_memory_failcnt"] == 18);

    const std::uint64_t old = host.last_id();
    host.remove("unified/c");
    host.remove("memory/c");
    host.make("unified", "/other");  // takes the inode number, if the file system gives it out at once
    host.make("unified");
    write_v1(host);
    host.write("memory", "memory.failcnt", "1\n");
    CHECK(host.sample_as("/c", old)["container_memory_failcnt"] == 18);
}

}  // namespace
}  // namespace plimsoll
