// SPDX-License-Identifier: Apache-2.0
#include "kernel/perf_records.h"

#include <linux/perf_event.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "shared/events.h"

namespace plimsoll {
namespace {

using Bytes = std::vector<std::byte>;

/// An entry that says it is `entry_size` long, with a record of that time in it that says it is `record_size`
/// long.
Bytes entry_of(std::uint64_t ts_ns, std::size_t entry_size, std::size_t record_size,
               std::uint32_t type = PERF_RECORD_SAMPLE) {
    const perf_event_header header{type, 0, static_cast<std::uint16_t>(entry_size)};
    const auto size = static_cast<std::uint32_t>(record_size);
    event_header record{};
    record.ts_ns = ts_ns;
    Bytes entry(sizeof(header) + sizeof(size) + sizeof(record));
    std::memcpy(entry.data(), &header, sizeof(header));
    std::memcpy(entry.data() + sizeof(header), &size, sizeof(size));
    std::memcpy(entry.data() + sizeof(header) + sizeof(size), &record, sizeof(record));
    return entry;
}

Bytes whole(std::uint64_t ts_ns) {
    return entry_of(ts_ns, 12 + sizeof(event_header), sizeof(event_header));
}

/// The times of what is delivered; 0 for a record that has none.
std::vector<std::uint64_t> delivered(PerfRecords& records, std::uint64_t until_ns) {
    std::vector<std::uint64_t> times;
    records.deliver(until_ns, [&](std::span<const std::byte> record) {
        event_header header{};
        if (!record.empty()) {
            std::memcpy(&header, record.data(), std::min(record.size(), sizeof(header)));
        }
        times.push_back(header.ts_ns);
    });
    return times;
}

TEST_CASE("records of several buffers come in the order in which they happened, the newest wait") {
    PerfRecords records;
    for (const std::uint64_t time : {5U, 9U, 3U, 7U}) {
        records.keep(whole(time));
    }
    CHECK(delivered(records, 6) == std::vector<std::uint64_t>{3, 5});
    records.keep(whole(8));
    CHECK(delivered(records, 9) == std::vector<std::uint64_t>{7, 8, 9});
    CHECK(records.waiting() == 0);
}

TEST_CASE(
    "a sample that is not whole is one empty record, which the receiver counts; other entries are none") {
    PerfRecords records;
    records.keep(entry_of(5, 12 + sizeof(event_header), sizeof(event_header) + 1));
    records.keep(entry_of(5, 11, 0));
    records.keep(entry_of(5, 4, 0));  // shorter than its own header
    records.keep(Bytes(3));
    CHECK(delivered(records, 0) == std::vector<std::uint64_t>{0, 0, 0, 0});
    records.keep(entry_of(5, 12 + sizeof(event_header), sizeof(event_header), PERF_RECORD_LOST));
    CHECK(records.waiting() == 0);
}

}  // namespace
}  // namespace plimsoll
