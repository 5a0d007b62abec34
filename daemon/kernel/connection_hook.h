// SPDX-License-Identifier: Apache-2.0
// The kernel's part of rules with `connects_to` (bpf/connections.bpf.c): who connects to one of their
// addresses has a slot at once. Owned by the daemon, used by the loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "kernel/skeleton.h"
#include "shared/connections.h"

struct connections_bpf;  // NOLINT(readability-identifier-naming): the name that bpftool gives

namespace plimsoll {

class ConnectionHook {
  public:
    /// To be called before the probes attach theirs, which are called in that order at each connection. The
    /// targets are numbered by their places. Nothing happens before arm().
    static Result<std::unique_ptr<ConnectionHook>> attach(const Scope& scope, const KernelTypes& types,
                                                          std::span<const connection_target> targets,
                                                          std::uint64_t root_cgroup_id);
    ~ConnectionHook();
    ConnectionHook(const ConnectionHook&) = delete;
    ConnectionHook& operator=(const ConnectionHook&) = delete;

    /// From now on connections are told, as events of kind `connection`: the channel must be open.
    void arm();
    /// Who has a connection to one of the targets now, each once. Looks at every open file of the host.
    [[nodiscard]] Result<std::vector<connection_meeting>> existing() const;

    [[nodiscard]] bpf_object* object() const;

  private:
    ConnectionHook();
    Result<void> fill(std::span<const connection_target> targets) const;

    Skeleton<connections_bpf> skeleton_;
    Links links_;
};

}  // namespace plimsoll
