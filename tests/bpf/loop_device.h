// SPDX-License-Identifier: Apache-2.0
// A block device of a test's own: a loop device over a file that is deleted already; it is gone with its
// owner. And work on it that knows what it did: whole requests, past the page cache.
#pragma once

#include <cstdint>
#include <string>

#include "loop/unique_fd.h"

namespace plimsoll::bpf_test {

class LoopDevice {
  public:
    /// `directory`: where the file is. Throws when there are no loop devices here.
    explicit LoopDevice(std::uint64_t size_bytes, const std::string& directory = "/var/tmp");
    LoopDevice(const LoopDevice&) = delete;
    LoopDevice& operator=(const LoopDevice&) = delete;
    ~LoopDevice();

    /// Whether this machine has loop devices.
    static bool exist();

    [[nodiscard]] const std::string& path() const { return path_; }
    /// `device="/dev/loop0"`, and with a direction's name both labels.
    [[nodiscard]] std::string label(const std::string& direction = "") const;
    void use_scheduler(const std::string& name) const;
    /// The file below; what is cut off it cannot be read any more.
    void truncate(std::uint64_t size_bytes) const;
    /// Requests and sectors as /sys/block/…/stat has them.
    struct Stat {
        std::uint64_t reads, read_merges, read_sectors, writes, write_merges, write_sectors, in_flight,
            discards, discard_sectors, flushes;
    };
    [[nodiscard]] Stat stat() const;

  private:
    UniqueFd file_, device_;
    std::string path_;
};

struct BlockWork {
    int reads = 0, read_bytes = 4096;
    int writes = 0, write_bytes = 4096;
    int flushes = 0;
    int discards = 0, discard_bytes = 65536;
};

/// Does the work one request after the other; 0 when all of it succeeded. Safe in a child.
int work_on(const std::string& device, const BlockWork& work);

}  // namespace plimsoll::bpf_test
