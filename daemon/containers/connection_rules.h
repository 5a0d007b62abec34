// SPDX-License-Identifier: Apache-2.0
// Rules with `connects_to`: remembers which cgroups connected where, and has the registry think again about
// the container that they are in. There only if the configuration has such a rule; loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "containers/registry.h"
#include "containers/selector.h"

namespace plimsoll {

/// A process of this cgroup has connected to an address of the rules.
struct FoundConnection {
    std::uint64_t cgroup_id = 0;
    std::uint32_t target = 0;     ///< the address's number, see connection_targets()
    std::uint32_t slot_hint = 0;  ///< the slot that the kernel had for the cgroup then; 0 when unknown
};

class ConnectionRules {
  public:
    explicit ConnectionRules(const Selector& selector) : selector_(selector) {}

    /// Registry::Callbacks::select. Remembers the cgroup, which may be gone when its connection is heard of.
    std::optional<Container> select(const FoundCgroup& found);

    enum class Answer : std::uint8_t {
        considered,  ///< the rules have decided
        root,        ///< the root cgroup is no container
        unknown,     ///< nobody has told of its birth, or it is long gone
    };
    Answer on_connection(Registry& registry, const FoundConnection& connection, std::uint64_t now_ns);

    void on_death(std::uint64_t cgroup_id) { cgroups_.erase(cgroup_id); }
    /// Forgets those whose death no event told.
    void prune(const std::function<bool(std::uint64_t cgroup_id)>& exists);

  private:
    struct Known {
        std::uint64_t parent_id = 0;
        std::string path;
        std::vector<std::uint32_t> targets;  ///< that it, or what is below it, connected to
    };

    [[nodiscard]] std::uint64_t climb(std::uint64_t from_id, std::string_view to_path) const;
    [[nodiscard]] std::vector<FoundCgroup> below(std::string_view path) const;

    const Selector& selector_;
    std::unordered_map<std::uint64_t, Known> cgroups_;  ///< all that exist, by id
};

}  // namespace plimsoll
