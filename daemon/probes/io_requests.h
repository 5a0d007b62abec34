// SPDX-License-Identifier: Apache-2.0
// The part of probe io that tells about requests which complete later: io_uring and AIO. Owned by the probe.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/metric.h"
#include "core/slot_sums.h"
#include "kernel/mapped_array.h"
#include "probes/probe.h"
#include "shared/io_requests.h"

struct bpf_map;

namespace plimsoll {

inline constexpr std::array<MetricSpec, 4> kIoRequestMetrics{{
    {"container_io_uring_requests_total", MetricType::counter, "",
     "operation (the name of the IORING_OP_… in small letters; other)",
     "Requests that the container has submitted to io_uring.", "tp_btf/io_uring_submit_req"},
    {"container_io_uring_punted_total", MetricType::counter, "", "operation (the same)",
     "Requests of the container that io_uring has given to a worker thread, because they could not go on "
     "without waiting.",
     "tp_btf/io_uring_queue_async_work"},
    {"container_io_uring_seconds", MetricType::histogram, "seconds", "",
     "Time from the submission of a request of the container to io_uring to its completion.",
     "tp_btf/io_uring_submit_req, tp_btf/io_uring_complete"},
    {"container_aio_submissions_total", MetricType::counter, "",
     "operation (pread, pwrite, fsync, fdsync, poll, noop, preadv, pwritev), class (file, block, inet, unix, "
     "netlink, pipe, tty, other)",
     "Requests that the container has submitted to the kernel's AIO (libaio), by the kind of file.",
     "io_submit"},
}};

class IoRequests {
  public:
    /// Maps of the probe's loaded object, which outlives this.
    Result<void> open(const bpf_map* accounts, const bpf_map* requests);
    void sample(const SampleContext& context, SampleWriter& writer, bool latency);
    /// Requests that are under way when their slot changes hands will not reach the next holder.
    void fold(std::uint32_t slot, Handle heir);
    void forget(Handle container) { sums_.forget(container); }

  private:
    struct Row {
        std::uint32_t container;
        io_request_account sums;
    };

    static std::vector<std::string> aio_fragments();
    void write_operations(SampleWriter& writer, std::size_t family,
                          const __u64 (io_request_account::*counts)[IO_URING_OPERATIONS]) const;
    void write_submissions(SampleWriter& writer) const;

    MappedArray<io_request_account> accounts_;
    int requests_ = -1;
    SlotSums<io_request_account> sums_{[this](std::uint32_t slot) { return accounts_[slot]; }};
    std::vector<std::string> fragments_ = aio_fragments();
    std::vector<Row> rows_;
};

}  // namespace plimsoll
