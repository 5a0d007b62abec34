// SPDX-License-Identifier: Apache-2.0
// The reading end of the event channel: a BPF ring buffer or perf event buffers behind one class. Owned and
// drained by the loop thread.
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/error.h"

namespace plimsoll {

class EventChannel {
  public:
    /// One record, as the kernel wrote it; valid during the call only. Sizes are the receiver's to check.
    using Receiver = std::function<void(std::span<const std::byte>)>;

    static Result<std::unique_ptr<EventChannel>> open_ring(int map_fd, Receiver receiver);
    static Result<std::unique_ptr<EventChannel>> open_perf(int map_fd, Receiver receiver);
    ~EventChannel() = default;
    EventChannel(const EventChannel&) = delete;
    EventChannel& operator=(const EventChannel&) = delete;

    /// Readable when the kernel side has passed its watermark.
    [[nodiscard]] int fd() const;
    /// Delivers what happened before this call, in the order in which it happened.
    void drain();

  private:
    explicit EventChannel(Receiver receiver) : receiver_(std::move(receiver)) {}
    void keep(std::span<const std::byte> record);
    void drain_perf();

    struct Kept {
        std::uint64_t ts_ns;
        std::vector<std::byte> record;
    };
    struct RingDeleter {
        void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
    };
    struct PerfDeleter {
        void operator()(perf_buffer* perf) const { perf_buffer__free(perf); }
    };
    Receiver receiver_;
    std::vector<Kept> kept_;  ///< perf buffers only
    std::unique_ptr<ring_buffer, RingDeleter> ring_;
    std::unique_ptr<perf_buffer, PerfDeleter> perf_;
};

}  // namespace plimsoll
