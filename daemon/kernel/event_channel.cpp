// SPDX-License-Identifier: Apache-2.0
#include "kernel/event_channel.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/clock.h"
#include "shared/events.h"

namespace plimsoll {

namespace {

constexpr std::size_t kPerfPages = 64;               // per CPU: 256 KiB of records
constexpr std::uint32_t kPerfWatermark = 64 * 1024;  // bytes waiting that wake the reader

}  // namespace

Result<std::unique_ptr<EventChannel>> EventChannel::open_ring(int map_fd, Receiver receiver) {
    std::unique_ptr<EventChannel> channel(new EventChannel(std::move(receiver)));
    const auto on_record = [](void* context, void* data, std::size_t size) {
        static_cast<EventChannel*>(context)->receiver_({static_cast<const std::byte*>(data), size});
        return 0;
    };
    channel->ring_.reset(ring_buffer__new(map_fd, on_record, channel.get(), nullptr));
    if (!channel->ring_) {
        return fail_errno("event channel: ring buffer", errno);
    }
    return channel;
}

Result<std::unique_ptr<EventChannel>> EventChannel::open_perf(int map_fd, Receiver receiver) {
    std::unique_ptr<EventChannel> channel(new EventChannel(std::move(receiver)));
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_SOFTWARE;
    attributes.config = PERF_COUNT_SW_BPF_OUTPUT;
    attributes.sample_type = PERF_SAMPLE_RAW;
    attributes.watermark = 1;
    attributes.wakeup_watermark = kPerfWatermark;
    const auto on_event = [](void* context, int, perf_event_header* event) {
        auto* self = static_cast<EventChannel*>(context);
        const auto* bytes = reinterpret_cast<const std::byte*>(event);
        // PERF_RECORD_LOST is ignored: the program that could not write has counted it already.
        if (event->type == PERF_RECORD_SAMPLE && event->size >= sizeof(*event) + 4) {
            std::uint32_t size = 0;
            std::memcpy(&size, bytes + sizeof(*event), sizeof(size));
            if (size <= event->size - sizeof(*event) - 4) {
                self->keep({bytes + sizeof(*event) + 4, size});
            }
        }
        return LIBBPF_PERF_EVENT_CONT;
    };
    channel->perf_.reset(
        perf_buffer__new_raw(map_fd, kPerfPages, &attributes, on_event, channel.get(), nullptr));
    if (!channel->perf_) {
        return fail_errno("event channel: perf buffers", errno);
    }
    return channel;
}

int EventChannel::fd() const {
    return ring_ ? ring_buffer__epoll_fd(ring_.get()) : perf_buffer__epoll_fd(perf_.get());
}

void EventChannel::drain() {
    if (ring_) {
        ring_buffer__consume(ring_.get());
    } else {
        drain_perf();
    }
}

void EventChannel::keep(std::span<const std::byte> record) {
    event_header header{};  // of a malformed record: before all others, since the receiver only counts it
    if (record.size() >= sizeof(header)) {
        std::memcpy(&header, record.data(), sizeof(header));
    }
    kept_.push_back({header.ts_ns, {record.begin(), record.end()}});
}

/// Each CPU has a buffer, and they are read one after another: a cgroup's death on one must not be heard
/// before its birth on another. So records wait for those that happened before them, and the newest for the
/// next time, because a buffer that has been read already may have got an older one since.
void EventChannel::drain_perf() {
    const std::uint64_t complete_ns = boot_time_ns();
    perf_buffer__consume(perf_.get());
    std::ranges::stable_sort(kept_, {}, &Kept::ts_ns);
    const auto end = std::ranges::upper_bound(kept_, complete_ns, {}, &Kept::ts_ns);
    for (auto kept = kept_.begin(); kept != end; ++kept) {
        receiver_(kept->record);
    }
    kept_.erase(kept_.begin(), end);
}

}  // namespace plimsoll
