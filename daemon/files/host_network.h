// SPDX-License-Identifier: Apache-2.0
// The network namespace of the host, and of processes, as /proc shows them. Stateless; any thread.
#pragma once

#include <optional>
#include <string>

#include "core/interface_counters.h"
#include "loop/unique_fd.h"

namespace plimsoll {

/// The namespace of the process behind an open /proc/PID; nothing when it has ended or may not be looked at.
std::optional<NamespaceId> network_of(int process);

/// The text of net/dev of the namespace of the process behind an open /proc/PID. The file is opened anew each
/// time: an open one would keep the namespace, and with it a container's interfaces, beyond the container's
/// life.
std::optional<std::string> read_net_dev(int process);

struct HostNetwork {
    UniqueFd process;  ///< /proc/PID of one that is in it
    NamespaceId id;
};

/// Init's namespace. Where that may not be looked at (a pid namespace of the agent's own, missing
/// privileges), the agent's own has to do: an agent that is itself in a container with a network of its own
/// then takes the host's namespace for a container's.
std::optional<HostNetwork> find_host_network(const std::string& proc_root);

}  // namespace plimsoll
