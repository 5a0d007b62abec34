// SPDX-License-Identifier: Apache-2.0
#include "files/parse.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace plimsoll {
namespace {

std::vector<std::pair<std::string, std::uint64_t>> keyed(
    std::string_view text, std::optional<KeyedNumber> (*take)(std::string_view&) = take_keyed) {
    std::vector<std::pair<std::string, std::uint64_t>> lines;
    while (const auto line = take(text)) {
        lines.emplace_back(line->key, line->value);
    }
    return lines;
}
using Lines = std::vector<std::pair<std::string, std::uint64_t>>;

TEST_CASE("a number is a whole number of 64 bits, with a line feed at most behind it") {
    CHECK(parse_number("0\n") == 0);
    CHECK(parse_number("42") == 42);
    CHECK(parse_number("18446744073709551615\n") == UINT64_MAX);
    for (const auto* text : {"", "\n", "-1\n", "+1", " 1", "1 2", "0x10", "12a", "1.5", "max",
                             "18446744073709551616", "99999999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_number(text));
    }
    CHECK_FALSE(parse_number(std::string_view("1\0", 2)));
}

TEST_CASE("max is the largest limit there is") {
    CHECK(parse_limit("max\n") == UINT64_MAX);
    CHECK(parse_limit("max") == UINT64_MAX);
    CHECK(parse_limit("7\n") == 7);
    CHECK_FALSE(parse_limit("maximum\n"));
    CHECK_FALSE(parse_limit(""));
}

TEST_CASE("what does not fit after scaling is not known") {
    CHECK(scaled(3, 1000) == 3000);
    CHECK(scaled(UINT64_MAX / 1000, 1000));
    CHECK_FALSE(scaled(UINT64_MAX / 1000 + 1, 1000));
    CHECK_FALSE(scaled(std::nullopt, 1));
}

TEST_CASE("keyed lines are read, garbled ones passed over") {
    CHECK(keyed("usage_usec 12\nuser_usec 5\n") == Lines{{"usage_usec", 12}, {"user_usec", 5}});
    CHECK(keyed("a 1\n\nno\n 2\nb -3\nc 4 5\nd x\ne 18446744073709551616\nf 6") == Lines{{"a", 1}, {"f", 6}});
    CHECK(keyed("").empty());
    CHECK(keyed("\n\n").empty());
}

TEST_CASE("lines of meminfo are bytes, lines of vmstat are counts") {
    CHECK(
        keyed("MemTotal:       24682416 kB\nActive(file):  2 kB\nHugePages_Total:       3\n", take_machine) ==
        Lines{{"MemTotal", 24682416ULL * 1024}, {"Active(file)", 2048}, {"HugePages_Total", 3}});
    CHECK(keyed("pgfault 7\npgscan_direct 8\n", take_machine) == Lines{{"pgfault", 7}, {"pgscan_direct", 8}});
    CHECK(keyed("A: 1 MB\nB:\nC: x kB\nD: 18446744073709551615 kB\n: \n: 3 kB\nE: 1 kB\n", take_machine) ==
          Lines{{"E", 1024}});
}

TEST_CASE("cpu.max has a quota or none, and a period") {
    const auto none = parse_cpu_max("max 100000\n");
    REQUIRE(none);
    CHECK(none->quota_us == UINT64_MAX);
    CHECK(none->period_us == 100000);
    const auto half = parse_cpu_max("50000 100000\n");
    REQUIRE(half);
    CHECK(half->quota_us == 50000);
    for (const auto* text : {"", "max", "max max", "50000", "-1 100000", "a b"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_cpu_max(text));
    }
}

TEST_CASE("pressure has two totals, and old kernels have one of the CPU") {
    const auto both = parse_pressure(
        "some avg10=6.08 avg60=4.56 avg300=7.63 total=5770042728\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n");
    CHECK(both.some_us == 5770042728);
    CHECK(both.full_us == 17);
    const auto some = parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n");
    CHECK(some.some_us == 9);
    CHECK_FALSE(some.full_us);
    for (const auto* text : {"", "some\nfull\n", "some total=\n", "some total=-1\n", "half total=3\n"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_pressure(text).some_us);
        CHECK_FALSE(parse_pressure(text).full_us);
    }
}

TEST_CASE("devices are major:minor") {
    CHECK(parse_device("254:16") == DeviceNumber{254, 16});
    for (const auto* text : {"", ":", "8", "8:", ":0", "8:0:0", "-8:0", "4294967296:0", "a:b"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_device(text));
    }
}

TEST_CASE("io.stat is read by key, whatever else stands in a line") {
    std::string_view text =
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=5 dios=6 cost.usage=7\n"
        "garbage\n(unknown) rbytes=1\n"
        "8:48 8:32 259:3 wios=9 rbytesx=4 rbytes=x\n8:16 \n";
    const auto first = take_io(text);
    REQUIRE(first);
    CHECK(first->device == DeviceNumber{8, 0});
    CHECK(first->read_bytes == 4096);
    CHECK(first->write_bytes == 8192);
    CHECK(first->reads == 1);
    CHECK(first->writes == 2);
    const auto second = take_io(text);
    REQUIRE(second);
    CHECK(second->device == DeviceNumber{259, 3});
    CHECK(second->read_bytes == 0);
    CHECK(second->writes == 9);
    CHECK_FALSE(take_io(text));
}

TEST_CASE("blkio lines are reads and writes, the others passed over") {
    std::string_view text =
        "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 30\nTotal 30\n"
        "8:x Read 1\n8:0 Read\n8:0 Write -1\n8:1 Read 7";
    std::vector<std::tuple<std::uint32_t, bool, std::uint64_t>> lines;
    while (const auto line = take_blkio(text)) {
        lines.emplace_back(line->device.minor, line->write, line->value);
    }
    CHECK(lines == std::vector<std::tuple<std::uint32_t, bool, std::uint64_t>>{
                       {0, false, 10}, {0, true, 20}, {1, false, 7}});
}

TEST_CASE("no parser reads beyond its text, whatever is in it") {
    std::string garbage;
    std::uint32_t state = 12345;
    for (int round = 0; round < 2000; ++round) {
        garbage.clear();
        for (std::uint32_t size = state % 64; size > 0; --size) {
            state = state * 1664525U + 1013904223U;
            garbage += "0129 :\n=kBmaxRead\ttotal\0-"[(state >> 16U) % 26];
        }
        std::string_view rest = garbage;
        while (take_keyed(rest)) {
        }
        rest = garbage;
        while (take_machine(rest)) {
        }
        rest = garbage;
        while (take_io(rest)) {
        }
        rest = garbage;
        while (take_blkio(rest)) {
        }
        CHECK(rest.empty());
        static_cast<void>(parse_pressure(garbage));
        static_cast<void>(parse_cpu_max(garbage));
    }
}

}  // namespace
}  // namespace plimsoll
