// SPDX-License-Identifier: Apache-2.0
// The file system that a container's root directory is written to: found without walking through any
// directory, and asked without ever waiting for a server. One thread.
#pragma once

#include <sys/vfs.h>
#include <cstdint>
#include <optional>
#include <string>

namespace plimsoll {

/// Whether the figures of one file system are those of another. Its inodes may be made on demand (XFS,
/// Btrfs), and what is free changes at any moment.
bool is_alike(const struct statfs& one, const struct statfs& other);

class RootFileSystem {
  public:
    struct Space {
        std::uint64_t size_bytes, used_bytes;
        std::uint64_t inodes, free_inodes;  ///< 0 and 0: it has no fixed number of them
    };

    /// Seen through the directory /proc/PID of one of its processes. `other`: another process than last time.
    /// Nothing when its root is none of its own (it is the host's), cannot be written to, is remote, or
    /// cannot be told.
    std::optional<Space> look(int process, bool other, const std::string& proc_root = "/proc");

    /// What cAdvisor calls it in label `device`; after look().
    [[nodiscard]] const std::string& device() const { return device_; }

  private:
    struct Identity {
        std::uint32_t major, minor;
        std::uint64_t inode;
        bool operator==(const Identity&) const = default;
    };
    static std::optional<Identity> identity_of(int directory, const char* path);
    static std::optional<Identity> hosts_root(const std::string& proc_root);
    void learn(int process, const std::string& proc_root);

    std::optional<Identity> root_;  ///< none: it must not be touched
    std::string device_;            ///< empty: it does not count
    bool known_ = false;            ///< that it counts, or that it does not
    unsigned looks_ = 0;            ///< at what is not known
};

}  // namespace plimsoll
