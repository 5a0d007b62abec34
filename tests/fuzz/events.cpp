// SPDX-License-Identifier: Apache-2.0
// Records of the event channel. An input is records, each behind its size in two bytes. They are read as a
// ring buffer hands them out, and as perf event buffers do; every record is consumed or counted, and what
// cgroups' births and deaths make the registry do keeps each slot in one place.
#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <vector>

#include "event_counts.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"
#include "kernel/perf_records.h"
#include "unit/containers/fake_slot_map.h"

namespace plimsoll::fuzz {
namespace {

using Bytes = std::vector<std::byte>;

/// Exactly as large as it says, so that a sanitizer sees a step beyond.
std::vector<Bytes> records_of(Input input) {
    std::vector<Bytes> records;
    while (!input.empty()) {
        const std::size_t low = input.byte(), size = low + 256U * (input.byte() % 8U);
        const auto bytes = input.bytes(size);
        const auto content = std::as_bytes(std::span(bytes));
        records.emplace_back(content.begin(), content.end());
    }
    return records;
}

std::uint64_t counted(const EventCounts& counts) {
    std::uint64_t sum = counts.malformed();
    for (std::size_t kind = 0; kind < EVENT_KINDS; ++kind) {
        sum += counts.count(kind);
    }
    return sum;
}

void check_registry(const container_test::RegistryFixture& world, std::size_t slots) {
    std::multiset<std::uint32_t> owned(world.kernel.stack.begin(), world.kernel.stack.end());
    for (const auto* watched : world.registry.shown()) {
        for (const auto slot : watched->slots) {
            require(slot < slots, "a slot exists");
            if (slot != SLOT_OVERFLOW) {
                owned.insert(slot);
            }
        }
    }
    require(std::ranges::adjacent_find(owned) == owned.end(),
            "a slot is offered, or counts for one container");
    require(
        world.registry.live_by_runtime().size() <= 1 && world.registry.added() >= world.registry.removed(),
        "who is gone was there");
}

/// Births and deaths as the daemon acts on them; ids and slots are of whoever wrote the record.
void apply(container_test::RegistryFixture& world, const cgroup_event& event) {
    require(event.path_size <= sizeof(event.path), "a path ends with its record");
    const std::string path(event.path, event.path_size);
    const auto id = event.header.cgroup_id % 32, parent = event.parent_id % 32;
    if (event.header.kind == EVENT_cgroup_birth) {
        world.make(id, parent, path);
    } else {
        world.remove(id);
    }
    world.pass(event.header.ts_ns % (2 * container_test::kSecond));
}

void check_ring(const std::vector<Bytes>& records) {
    EventCounts counts;
    container_test::RegistryFixture world;
    world.pass(0);
    std::size_t applied = 0;
    for (const auto& record : records) {
        const auto header = counts.accept(record);
        require(!header || (header->kind < EVENT_KINDS && record.size() >= sizeof(event_header)),
                "an accepted record is whole");
        if (header && (header->kind == EVENT_cgroup_birth || header->kind == EVENT_cgroup_death) &&
            ++applied <= 64) {
            apply(world, cgroup_event_of(record));
            check_registry(world, Registry::slots_needed(world.limits));
        }
        if (header && header->kind == EVENT_connection) {
            require(content_of<connection_event>(record).header.cgroup_id == header->cgroup_id,
                    "one record, one cgroup");
        }
    }
    require(counted(counts) == records.size(), "every record is consumed or counted");
}

std::uint64_t time_of(std::span<const std::byte> record) {
    event_header header{};
    if (record.size() >= sizeof(header)) {
        std::memcpy(&header, record.data(), sizeof(header));
    }
    return header.ts_ns;
}

Bytes perf_entry(const Bytes& record) {
    struct {
        std::uint32_t type;
        std::uint16_t misc, size;
        std::uint32_t raw_size;
    } head{9 /* PERF_RECORD_SAMPLE */, 0, static_cast<std::uint16_t>(12 + record.size()),
           static_cast<std::uint32_t>(record.size())};
    Bytes entry(sizeof(head) + record.size());
    std::memcpy(entry.data(), &head, sizeof(head));
    std::ranges::copy(record, entry.begin() + sizeof(head));
    return entry;
}

/// The records as whole entries, and as entries that are garbled.
void check_perf(const std::vector<Bytes>& records) {
    PerfRecords perf;
    std::vector<std::uint64_t> times;
    std::multiset<Bytes> delivered;
    const RecordReceiver receiver = [&](std::span<const std::byte> record) {
        times.push_back(time_of(record));
        delivered.emplace(record.begin(), record.end());
    };
    for (const auto& record : records) {
        perf.keep(perf_entry(record));
    }
    require(perf.waiting() == records.size(), "every whole entry is kept");
    const std::uint64_t middle = records.empty() ? 0 : time_of(records.front());
    perf.deliver(middle, receiver);
    require(std::ranges::all_of(times, [&](std::uint64_t time) { return time <= middle; }),
            "the newest wait");
    require(times.size() + perf.waiting() == records.size(), "what is not delivered waits");
    perf.deliver(UINT64_MAX, receiver);
    require(std::ranges::is_sorted(times), "records come in the order in which they happened");
    require(delivered == std::multiset<Bytes>(records.begin(), records.end()),
            "every record is delivered, once");
    for (const auto& record : records) {
        perf.keep(record);
    }
    const std::size_t waiting = perf.waiting();
    times.clear();
    perf.deliver(UINT64_MAX, receiver);
    require(times.size() == waiting && waiting <= records.size(), "a garbled entry is one record or none");
}

}  // namespace

void events(std::string_view input) {
    const auto records = records_of(Input(input));
    check_ring(records);
    check_perf(records);
}

}  // namespace plimsoll::fuzz
