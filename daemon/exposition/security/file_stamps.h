// SPDX-License-Identifier: Apache-2.0
// What some files looked like from outside at a moment: enough to see that one has been written, or that its
// name stands for another file now, through whatever links. A few microseconds per file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace plimsoll {

class FileStamps {
  public:
    /// To be taken before the file is read: what is written meanwhile is a change then.
    void add(const std::string& path);

    /// The same files, as they are now.
    [[nodiscard]] FileStamps now() const;

    bool operator==(const FileStamps&) const = default;

  private:
    struct Stamp {
        std::string path;
        std::uint64_t device = 0, inode = 0, size = 0, modified_ns = 0, changed_ns = 0;

        bool operator==(const Stamp&) const = default;
    };
    std::vector<Stamp> stamps_;
};

}  // namespace plimsoll
