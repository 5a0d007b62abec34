// SPDX-License-Identifier: Apache-2.0
// A disk whose writes can be held up: a loop device over a file on a file system of its own, which is frozen.
// Only this process sees the file system.
#pragma once

#include <memory>
#include <string>

#include "loop/unique_fd.h"
#include "loop_device.h"

namespace plimsoll::bpf_test {

class FrozenDisk {
  public:
    /// Throws when the file system cannot be made here.
    FrozenDisk();
    FrozenDisk(const FrozenDisk&) = delete;
    FrozenDisk& operator=(const FrozenDisk&) = delete;
    ~FrozenDisk();

    [[nodiscard]] const LoopDevice& device() const { return *upper_; }
    /// Its writes go on. It is frozen from the beginning.
    void thaw();

  private:
    LoopDevice lower_;
    std::string directory_;
    UniqueFd mounted_;
    std::unique_ptr<LoopDevice> upper_;
};

}  // namespace plimsoll::bpf_test
