// SPDX-License-Identifier: Apache-2.0
// Decides which cgroups are watched as containers, from the configuration, the path and the runtimes' files.
// Owned and used by one thread. Nothing it reads can make it fail: what is not understood is not selected or
// has no name.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "containers/container.h"
#include "containers/glob.h"
#include "containers/metadata.h"

namespace plimsoll {

class Selector {
  public:
    explicit Selector(const Config::Containers& config, std::string passwd_file = "/etc/passwd");

    /// The container whose own directory this is; nothing for any other cgroup, also for those inside a
    /// container. A match of `cgroups` wins over all else; include and exclude apply to what was discovered.
    /// `connections`: numbers of the addresses (connection_targets) that the cgroup is known to have
    /// connected to. With one, it can be a container though nothing discovers it.
    std::optional<Container> select(std::string_view cgroup_path,
                                    std::span<const std::uint32_t> connections = {}) const;

    /// The innermost cgroup, this one or around it, that discovery knows as a container or `cgroups` names,
    /// whatever the other rules say of it.
    std::optional<std::string_view> container_around(std::string_view cgroup_path) const;

    /// Reads the runtime's files again (a rename; a file that came late). True when something changed. What
    /// the files no longer tell stays, so that a container keeps its name while it is being removed; and so
    /// does a container that select() would refuse by now.
    bool refresh(Container& container) const;

  private:
    struct Rule {
        explicit Rule(const ContainerRule& rule);
        bool matches(const Container& container, std::span<const std::uint32_t> connections) const;
        std::optional<Glob> name, image, runtime, cgroup;
        std::vector<std::pair<std::string, Glob>> labels;
        std::optional<std::uint32_t> target;  ///< of connects_to
    };
    struct PathRule {
        Glob path;
        std::optional<std::string> name;
    };

    std::optional<Container> by_path_rule(std::string_view cgroup_path) const;
    std::optional<Container> discover(std::string_view cgroup_path, Finding& finding) const;
    bool in_unnamed_container(std::string_view cgroup_path, const PathMatch& match) const;
    std::optional<std::string> discovering_rule(const Container& container) const;
    bool listed(Runtime runtime) const;

    std::vector<Runtime> discover_;
    std::vector<Rule> include_, exclude_;
    std::vector<PathRule> cgroups_;
    Metadata metadata_;
};

}  // namespace plimsoll
