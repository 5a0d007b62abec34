// SPDX-License-Identifier: Apache-2.0
// The counters of a container's network interfaces, kept from going back. Pure; one thread.
//
// The kernel's numbers are passed on as they are, but for three cases:
// - An interface that was removed and made anew counts from 0 again (its bytes or packets are fewer than they
//   were): what it counts now is added to what there was.
// - With some drivers errors or drops go back a little: they stay where they are until they are beyond.
// - Another namespace takes the place of the one before (its process called setns, or another process was
//   chosen): an interface of a name that is known goes on by its growth from now on. So namespaces that
//   alternate never count anything twice; what happened between two samples across the exchange is not seen.
// An interface that is gone is not shown, but remembered for its return.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "files/net_dev.h"

namespace plimsoll {

/// A namespace: the file system and inode number of /proc/PID/ns/….
struct NamespaceId {
    std::uint64_t device;
    std::uint64_t inode;
    auto operator<=>(const NamespaceId&) const = default;
};

class InterfaceCounters {
  public:
    struct Interface {
        NetCounters shown;
        NetCounters read;  ///< the kernel's, the highest that counts already
        bool present;
    };

    /// A container decides how many interfaces it has and what they are called: those beyond are ignored.
    static constexpr std::size_t kMost = 256;

    void update(NamespaceId from, std::span<const NetInterface> interfaces);
    void clear() { interfaces_.clear(); }
    [[nodiscard]] const std::map<std::string, Interface, std::less<>>& all() const { return interfaces_; }

  private:
    NamespaceId from_{};
    std::map<std::string, Interface, std::less<>> interfaces_;
};

}  // namespace plimsoll
