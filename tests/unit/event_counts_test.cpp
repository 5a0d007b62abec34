// SPDX-License-Identifier: Apache-2.0
#include "event_counts.h"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

namespace plimsoll {
namespace {

std::vector<std::byte> record_of(std::uint32_t kind, std::size_t size) {
    event_header header{};
    header.kind = kind;
    header.slot = 5;
    header.ts_ns = 77;
    header.cgroup_id = 4711;
    std::vector<std::byte> record(std::max(size, sizeof(header)));
    std::memcpy(record.data(), &header, sizeof(header));
    record.resize(size);
    return record;
}

constexpr std::size_t kCgroupSize = offsetof(cgroup_event, path);

TEST_CASE("a whole record is counted under its kind and its header handed out") {
    EventCounts counts;
    const auto header = counts.accept(record_of(EVENT_exit, sizeof(process_event)));
    REQUIRE(header);
    CHECK(header->kind == EVENT_exit);
    CHECK(header->slot == 5);
    CHECK(header->ts_ns == 77);
    CHECK(header->cgroup_id == 4711);
    CHECK(counts.accept(record_of(EVENT_exit, sizeof(process_event) + 4)));  // perf buffers pad
    CHECK(counts.count(EVENT_exit) == 2);
    CHECK(counts.count(EVENT_exec) == 0);
    CHECK(counts.malformed() == 0);
}

TEST_CASE("each kind has a size below which it is refused") {
    const auto kind_and_size = GENERATE(table<std::uint32_t, std::size_t>({
        {EVENT_cgroup_birth, kCgroupSize},
        {EVENT_cgroup_death, kCgroupSize},
        {EVENT_moved, sizeof(event_header)},
        {EVENT_exec, sizeof(process_event)},
        {EVENT_exit, sizeof(process_event)},
        {EVENT_oom_kill, sizeof(process_event)},
        {EVENT_connection, sizeof(connection_event)},
    }));
    const auto [kind, size] = kind_and_size;
    CAPTURE(kind);
    EventCounts counts;
    CHECK(counts.accept(record_of(kind, size)));
    CHECK_FALSE(counts.accept(record_of(kind, size - 1)));
    CHECK(counts.count(kind) == 1);
    CHECK(counts.malformed() == 1);
}

TEST_CASE("truncated records of any length are refused and counted, never read beyond their end") {
    EventCounts counts;
    for (std::size_t size = 0; size < sizeof(event_header); size++) {
        const auto record =
            record_of(EVENT_moved, size);  // exactly as large as said: a sanitizer sees a step beyond
        CHECK_FALSE(counts.accept(record));
    }
    CHECK(counts.malformed() == sizeof(event_header));
}

TEST_CASE("kinds that do not exist are refused") {
    EventCounts counts;
    for (const std::uint32_t kind : {std::uint32_t{EVENT_KINDS}, std::uint32_t{EVENT_KINDS} + 1, 0x80000000U,
                                     std::numeric_limits<std::uint32_t>::max()}) {
        CHECK_FALSE(counts.accept(record_of(kind, sizeof(cgroup_event))));
    }
    CHECK(counts.malformed() == 4);
    for (std::size_t kind = 0; kind < EVENT_KINDS; kind++) {
        CHECK(counts.count(kind) == 0);
    }
}

TEST_CASE("every kind has a name") {
    CHECK(kEventKinds[EVENT_cgroup_birth] == "cgroup_birth");
    CHECK(kEventKinds[EVENT_oom_kill] == "oom_kill");
    for (const auto name : kEventKinds) {
        CHECK_FALSE(name.empty());
    }
}

}  // namespace
}  // namespace plimsoll
