// SPDX-License-Identifier: Apache-2.0
// Records as perf event buffers hand them out: one buffer for each CPU, read one after another, so that a
// cgroup's death on one would be heard before its birth on another. They are put in order here. Pure; loop
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace plimsoll {

/// One record, as the kernel wrote it; valid during the call only. Sizes are the receiver's to check.
using RecordReceiver = std::function<void(std::span<const std::byte>)>;

class PerfRecords {
  public:
    /// An entry of a buffer with its header. One that is no whole sample is kept as an empty record, which
    /// the receiver counts as malformed.
    void keep(std::span<const std::byte> entry);

    /// Hands on what happened until then, in the order in which it happened. The rest waits: a buffer that
    /// has been read already may have got an older one since.
    void deliver(std::uint64_t until_ns, const RecordReceiver& receiver);

    [[nodiscard]] std::size_t waiting() const { return kept_.size(); }

  private:
    struct Kept {
        std::uint64_t ts_ns;
        std::vector<std::byte> record;
    };
    std::vector<Kept> kept_;
};

}  // namespace plimsoll
