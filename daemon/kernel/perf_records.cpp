// SPDX-License-Identifier: Apache-2.0
#include "kernel/perf_records.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "shared/events.h"

namespace plimsoll {
namespace {

/// The sample in an entry: its size as 32 bits, then its bytes. Nothing: this is no sample.
std::optional<std::span<const std::byte>> sample_in(std::span<const std::byte> entry) {
    perf_event_header header{};
    std::uint32_t size = 0;
    if (entry.size() < sizeof(header)) {
        return std::span<const std::byte>();
    }
    std::memcpy(&header, entry.data(), sizeof(header));
    if (header.type != PERF_RECORD_SAMPLE) {
        return std::nullopt;  // PERF_RECORD_LOST: the program that could not write has counted it already
    }
    const auto whole = entry.first(std::min<std::size_t>(header.size, entry.size()));
    if (whole.size() < sizeof(header) + sizeof(size)) {
        return std::span<const std::byte>();
    }
    std::memcpy(&size, whole.data() + sizeof(header), sizeof(size));
    const auto sample = whole.subspan(sizeof(header) + sizeof(size));
    return size <= sample.size() ? sample.first(size) : std::span<const std::byte>();
}

}  // namespace

void PerfRecords::keep(std::span<const std::byte> entry) {
    const auto record = sample_in(entry);
    if (!record) {
        return;
    }
    event_header header{};  // of a malformed record: before all others, since the receiver only counts it
    if (record->size() >= sizeof(header)) {
        std::memcpy(&header, record->data(), sizeof(header));
    }
    kept_.push_back({header.ts_ns, {record->begin(), record->end()}});
}

void PerfRecords::deliver(std::uint64_t until_ns, const RecordReceiver& receiver) {
    std::ranges::stable_sort(kept_, {}, &Kept::ts_ns);
    const auto end = std::ranges::upper_bound(kept_, until_ns, {}, &Kept::ts_ns);
    for (auto kept = kept_.begin(); kept != end; ++kept) {
        receiver(kept->record);
    }
    kept_.erase(kept_.begin(), end);
}

}  // namespace plimsoll
