// SPDX-License-Identifier: Apache-2.0
#include "kernel/event_channel.h"

#include <linux/perf_event.h>

#include <cerrno>

#include "core/clock.h"

namespace plimsoll {

namespace {

constexpr std::size_t kPerfPages = 64;               // per CPU: 256 KiB of records
constexpr std::uint32_t kPerfWatermark = 64 * 1024;  // bytes waiting that wake the reader

}  // namespace

Result<std::unique_ptr<EventChannel>> EventChannel::open_ring(int map_fd, Receiver receiver) {
    std::unique_ptr<EventChannel> channel(new EventChannel(std::move(receiver)));
    const auto on_record = [](void* context, void* data, std::size_t size) {
        return static_cast<EventChannel*>(context)->receive({static_cast<const std::byte*>(data), size});
    };
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (const int failed = bpf_obj_get_info_by_fd(map_fd, &info, &info_size); failed != 0) {
        return fail_errno("event channel: ring buffer", failed);
    }
    channel->ring_bytes_ = info.max_entries;
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
        const auto* bytes = reinterpret_cast<const std::byte*>(event);
        static_cast<EventChannel*>(context)->records_.keep({bytes, event->size});
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

/// Stops when as much has come as the buffer can hold: that is all that was there when it began, and whoever
/// writes faster than we read must not keep us here.
int EventChannel::receive(std::span<const std::byte> record) {
    constexpr std::size_t kRecordHeader = 8;
    drained_bytes_ += record.size() + kRecordHeader;
    receiver_(record);
    return drained_bytes_ < ring_bytes_ ? 0 : -1;
}

void EventChannel::drain() {
    if (ring_) {
        drained_bytes_ = 0;
        ring_buffer__consume(ring_.get());
        return;
    }
    const std::uint64_t complete_ns = boot_time_ns();
    perf_buffer__consume(perf_.get());
    records_.deliver(complete_ns, receiver_);
}

}  // namespace plimsoll
