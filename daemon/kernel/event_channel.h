// SPDX-License-Identifier: Apache-2.0
// The reading end of the event channel: a BPF ring buffer or perf event buffers behind one class. Owned and
// drained by the loop thread.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <memory>
#include <utility>

#include "config/config.h"
#include "core/error.h"
#include "kernel/perf_records.h"

namespace plimsoll {

class EventChannel {
  public:
    using Receiver = RecordReceiver;

    static Result<std::unique_ptr<EventChannel>> open_ring(int map_fd, Receiver receiver);
    static Result<std::unique_ptr<EventChannel>> open_perf(int map_fd, Receiver receiver);
    ~EventChannel() = default;
    EventChannel(const EventChannel&) = delete;
    EventChannel& operator=(const EventChannel&) = delete;

    /// Readable when the kernel side has passed its watermark.
    [[nodiscard]] int fd() const;
    /// Delivers what happened before this call, in the order in which it happened; what happens during it may
    /// be delivered or wait for the next.
    void drain();

  private:
    explicit EventChannel(Receiver receiver) : receiver_(std::move(receiver)) {}
    int receive(std::span<const std::byte> record);
    struct RingDeleter {
        void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
    };
    struct PerfDeleter {
        void operator()(perf_buffer* perf) const { perf_buffer__free(perf); }
    };
    Receiver receiver_;
    PerfRecords records_;  ///< perf buffers only
    std::size_t ring_bytes_ = 0, drained_bytes_ = 0;
    std::unique_ptr<ring_buffer, RingDeleter> ring_;
    std::unique_ptr<perf_buffer, PerfDeleter> perf_;
};

}  // namespace plimsoll
