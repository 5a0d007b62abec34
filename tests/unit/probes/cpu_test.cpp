// SPDX-License-Identifier: Apache-2.0
// Probe cpu on v1, hybrid and v2 hosts; the texts are those of real kernels.
#include <catch2/catch.hpp>

#include "file_fixture.h"

namespace plimsoll {
namespace {

using file_test::Fixture;
using file_test::Host;
using file_test::Page;

constexpr auto kUsage = R"(container_cpu_usage_seconds_total{cpu="total"})";

void write_v1(Fixture& host, std::string_view quota) {
    host.write("cpuacct", "cpuacct.usage", "19011767967287\n");
    host.write("cpuacct", "cpuacct.stat", "user 1559029\nsystem 342147\n");
    host.write("cpu", "cpu.shares", "512\n");
    host.write("cpu", "cpu.cfs_period_us", "100000\n");
    host.write("cpu", "cpu.cfs_quota_us", quota);
    host.write("cpu", "cpu.stat",
               "nr_periods 60\nnr_throttled 7\nthrottled_time 758072071\nnr_bursts 2\nburst_time 5\n");
}

const Page kUsageV1{{kUsage, 19011767967287},
                    {"container_cpu_user_seconds_total", 15590290000000},
                    {"container_cpu_system_seconds_total", 3421470000000}};
const Page kSpec{{"container_spec_cpu_shares", 512}, {"container_spec_cpu_period", 100000}};
const Page kQuota{{"container_spec_cpu_quota", 50000},
                  {"container_cpu_cfs_periods_total", 60},
                  {"container_cpu_cfs_throttled_periods_total", 7},
                  {"container_cpu_cfs_throttled_seconds_total", 758072071},
                  {"container_cpu_cfs_burst_periods_total", 2},
                  {"container_cpu_cfs_burst_seconds_total", 5}};

Page operator+(Page one, const Page& other) {
    one.insert(other.begin(), other.end());
    return one;
}

TEST_CASE("cpu on v1: usage in nanoseconds, user and system in ticks, throttling with a quota only") {
    Fixture host(make_cpu_probe(), Host::v1);
    host.make("memory");
    write_v1(host, "50000\n");
    CHECK(host.sample() == kUsageV1 + kSpec + kQuota);
    write_v1(host, "-1\n");
    CHECK(host.sample() == kUsageV1 + kSpec);
}

TEST_CASE("cpu on v2: microseconds, the weight as shares, max as no quota") {
    Fixture host(make_cpu_probe(), Host::v2);
    host.write("unified", "cpu.stat",
               "usage_usec 3759403\nuser_usec 1195488\nsystem_usec 2563915\nnice_usec 0\n"
               "core_sched.force_idle_usec 0\nnr_periods 60\nnr_throttled 7\nthrottled_usec 758072\n"
               "nr_bursts 2\nburst_usec 5\n");
    host.write("unified", "cpu.max", "max 100000\n");
    host.write("unified", "cpu.weight", "100\n");
    const Page usage{{kUsage, 3759403000},
                     {"container_cpu_user_seconds_total", 1195488000},
                     {"container_cpu_system_seconds_total", 2563915000},
                     {"container_spec_cpu_period", 100000}};
    CHECK(host.sample() == usage + Page{{"container_spec_cpu_shares", 2597}});
    host.write("unified", "cpu.max", "50000 100000\n");
    host.write("unified", "cpu.weight", "10000\n");
    Page limited = usage + kQuota + Page{{"container_spec_cpu_shares", 262144}};
    limited["container_cpu_cfs_throttled_seconds_total"] = 758072000;
    limited["container_cpu_cfs_burst_seconds_total"] = 5000;
    CHECK(host.sample() == limited);
}

TEST_CASE("cpu of a scope that crun made: time is the scope's, the quota and throttling are told one below") {
    Fixture host(make_cpu_probe(), Host::v2);
    const std::string scope = "/machine.slice/libpod-1.scope";
    host.write("unified", "cpu.stat",
               "usage_usec 3\nuser_usec 1\nsystem_usec 2\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
               "nr_bursts 0\nburst_usec 0\n",
               scope);
    host.write("unified", "cpu.max", "max 100000\n", scope);
    host.write("unified", "container/cpu.max", "50000 100000\n", scope);
    host.write(
        "unified", "container/cpu.stat",
        "usage_usec 2\nuser_usec 1\nsystem_usec 1\nnr_periods 60\nnr_throttled 7\nthrottled_usec 758072\n"
        "nr_bursts 2\nburst_usec 5\n",
        scope);
    Page limited = Page{{kUsage, 3000},
                        {"container_cpu_user_seconds_total", 1000},
                        {"container_cpu_system_seconds_total", 2000},
                        {"container_spec_cpu_period", 100000}} +
                   kQuota;
    limited["container_cpu_cfs_throttled_seconds_total"] = 758072000;
    limited["container_cpu_cfs_burst_seconds_total"] = 5000;
    CHECK(host.sample(scope) == limited);
}

TEST_CASE("cpu of such a scope on v1") {
    Fixture host(make_cpu_probe(), Host::v1);
    const std::string scope = "/machine.slice/libpod-1.scope";
    host.make("memory", scope);
    host.write("cpuacct", "cpuacct.usage", "3000\n", scope);
    host.write("cpu", "cpu.shares", "1024\n", scope);
    host.write("cpu", "cpu.cfs_period_us", "100000\n", scope);
    host.write("cpu", "cpu.cfs_quota_us", "-1\n", scope);
    host.write("cpu", "cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n", scope);
    const Page free{
        {kUsage, 3000}, {"container_spec_cpu_shares", 1024}, {"container_spec_cpu_period", 100000}};
    CHECK(host.sample(scope) == free);
    host.write("cpu", "container/cpu.cfs_quota_us", "-1\n", scope);
    CHECK(host.sample(scope) == free);
    host.write("cpu", "container/cpu.cfs_period_us", "50000\n", scope);
    host.write("cpu", "container/cpu.cfs_quota_us", "25000\n", scope);
    host.write("cpu", "container/cpu.stat", "nr_periods 60\nnr_throttled 7\nthrottled_time 758072000\n",
               scope);
    CHECK(host.sample(scope) == Page{{kUsage, 3000},
                                     {"container_spec_cpu_shares", 1024},
                                     {"container_spec_cpu_period", 50000},
                                     {"container_spec_cpu_quota", 25000},
                                     {"container_cpu_cfs_periods_total", 60},
                                     {"container_cpu_cfs_throttled_periods_total", 7},
                                     {"container_cpu_cfs_throttled_seconds_total", 758072000}});
}

TEST_CASE("cpu on v2 without the controller: what cpu.stat has all the same, and no limits") {
    Fixture host(make_cpu_probe(), Host::v2);
    host.write("unified", "cpu.stat", "usage_usec 3\nuser_usec 1\nsystem_usec 2\n");
    CHECK(host.sample() == Page{{kUsage, 3000},
                                {"container_cpu_user_seconds_total", 1000},
                                {"container_cpu_system_seconds_total", 2000}});
}

TEST_CASE("cpu on a hybrid host: v1 where the container is in it, else v2, for good") {
    const auto v2 = "usage_usec 3\nuser_usec 1\nsystem_usec 2\n";
    Fixture both(make_cpu_probe(), Host::hybrid);
    both.write("unified", "cpu.stat", v2);
    write_v1(both, "50000\n");
    CHECK(both.sample() == kUsageV1 + kSpec + kQuota);
    Fixture later(make_cpu_probe(), Host::hybrid);
    later.write("unified", "cpu.stat", v2);
    const Page usage{{kUsage, 3000},
                     {"container_cpu_user_seconds_total", 1000},
                     {"container_cpu_system_seconds_total", 2000}};
    CHECK(later.sample() == usage);
    write_v1(later, "50000\n");
    CHECK(later.sample() == usage + kSpec + kQuota);
}

TEST_CASE("cpu: who told the CPU time once goes on to tell it") {
    Fixture host(make_cpu_probe(), Host::hybrid);
    write_v1(host, "50000\n");
    host.write("unified", "cpu.stat", "usage_usec 3\nuser_usec 1\nsystem_usec 2\n");
    CHECK(host.sample()[kUsage] == kUsageV1.at(kUsage));
    SECTION("a file that cannot be read once") {
        host.write("cpuacct", "cpuacct.usage", "");
        CHECK(host.sample()[kUsage] == kUsageV1.at(kUsage));
        host.write("cpuacct", "cpuacct.usage", "19011767967300\n");
        CHECK(host.sample()[kUsage] == 19011767967300);
    }
    SECTION("a directory that is gone before the container is") {
        host.remove("cpuacct/c");
        CHECK(host.sample()[kUsage] == kUsageV1.at(kUsage));
        CHECK(host.sample()[kUsage] == kUsageV1.at(kUsage));
    }
}

TEST_CASE("cpu: what is missing, garbled or too large is absent, the rest is there") {
    Fixture host(make_cpu_probe(), Host::v1);
    host.make("memory");
    write_v1(host, "fifty\n");
    host.write("cpuacct", "cpuacct.stat", "user x\nsystem 18446744073709551615\nguest 1\n");
    host.write("cpu", "cpu.shares", "\n");
    host.write("cpu", "cpu.cfs_period_us", "-100000\n");
    CHECK(host.sample() == Page{{kUsage, 19011767967287}});
    Fixture empty(make_cpu_probe(), Host::v2);
    empty.make("unified");
    CHECK(empty.sample().empty());
    Fixture huge(make_cpu_probe(), Host::v2);
    huge.write("unified", "cpu.stat", "usage_usec 18446744073709551615\nuser_usec 1\n");
    CHECK(huge.sample() == Page{{"container_cpu_user_seconds_total", 1000}});
    huge.write("unified", "cpu.weight", "0\n");
    CHECK_FALSE(huge.sample().contains("container_spec_cpu_shares"));
}

TEST_CASE("cpu in a rest: nothing is read again, until a limit is written") {
    Fixture v1(make_cpu_probe(), Host::v1);
    v1.make("memory");
    write_v1(v1, "-1\n");
    v1.rest(1);
    CHECK(v1.sample() == kUsageV1 + kSpec);
    v1.write("cpuacct", "cpuacct.usage", "23\n");
    CHECK(v1.sample() == kUsageV1 + kSpec);
    v1.write("cpu", "cpu.shares", "29\n");
    CHECK(v1.sample().at("container_spec_cpu_shares") == 29);
    CHECK(v1.sample().at(kUsage) == 23);
    v1.write("cpu", "cpu.cfs_quota_us", "50000\n");
    CHECK(v1.sample().at("container_spec_cpu_quota") == 50000);

    Fixture v2(make_cpu_probe(), Host::v2);
    v2.write("unified", "cpu.stat", "usage_usec 5\n");
    v2.link("cgroup/unified/c/cpu.stat", "kernel");  // which is not told when it is written
    v2.write("unified", "cpu.max", "max 100000\n");
    v2.rest(1);
    CHECK(v2.sample().at(kUsage) == 5000);
    v2.write_machine("kernel", "usage_usec 7\n");
    CHECK(v2.sample().at(kUsage) == 5000);
    v2.write("unified", "cpu.max", "40000 100000\n");
    const Page page = v2.sample();
    CHECK(page.at("container_spec_cpu_quota") == 40000);
    CHECK(page.at(kUsage) == 7000);

    // Where the limits are one level below, nobody tells who writes them.
    const std::string scope = "/machine.slice/libpod-1.scope";
    Fixture crun(make_cpu_probe(), Host::v2);
    crun.write("unified", "cpu.stat", "usage_usec 5\n", scope);
    crun.write("unified", "cpu.max", "max 100000\n", scope);
    crun.write("unified", "container/cpu.max", "50000 100000\n", scope);
    crun.rest(1);
    CHECK(crun.sample(scope).at("container_spec_cpu_quota") == 50000);
    crun.write("unified", "container/cpu.max", "60000 100000\n", scope);
    CHECK(crun.sample(scope).at("container_spec_cpu_quota") == 60000);
}

TEST_CASE("counters of a cgroup that vanished stay, gauges go, and its descriptors are given back") {
    for (const Host kind : {Host::v1, Host::hybrid}) {
        Fixture host(make_cpu_probe(), kind);
        host.make(kind == Host::v1 ? "memory" : "unified");
        write_v1(host, "50000\n");
        const std::size_t before = host.descriptors_left();
        host.sample();
        CHECK(host.descriptors_left() < before);
        host.remove("cpuacct/c");
        host.remove("cpu/c");
        host.remove(kind == Host::v1 ? "memory/c" : "unified/c");
        Page last = kUsageV1 + kQuota;
        last.erase("container_spec_cpu_quota");
        CHECK(host.sample() == last);
        CHECK(host.descriptors_left() == before);
        CHECK(host.sample("/c", true) == last);
        host.probe().forget(1);
        CHECK(host.sample_as("/c", host.last_id(), true).empty());
    }
}

}  // namespace
}  // namespace plimsoll
