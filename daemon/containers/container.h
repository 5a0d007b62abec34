// SPDX-License-Identifier: Apache-2.0
// Who a container is, as read from its cgroup path and its runtime's files. Pure data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

enum class Runtime { docker, containerd, crio, podman, kubernetes, lxc, nspawn, systemd, cgroup };

/// The value of the `runtime` label and of the JSON key, as in the configuration's `discover` list.
std::string_view to_string(Runtime runtime);

struct Container {
    std::string cgroup;  ///< path below the hierarchy's root, with a leading '/': the `id` label
    Runtime runtime = Runtime::cgroup;
    std::string id;     ///< the runtime's own full id
    std::string name;   ///< what a person calls it; empty when unknown
    std::string image;  ///< empty when unknown
    std::string pod;    ///< Kubernetes only: container, pod, namespace, pod_uid; empty otherwise
    std::string pod_container;
    std::string pod_namespace;
    std::string pod_uid;
    std::map<std::string, std::string> labels;  ///< all runtime labels (rules match on them)
    std::vector<std::string> sources;           ///< files that were asked, whether they knew it or not
    std::uint64_t sources_version = 0;          ///< changes when one of them does
    std::string rule;  ///< the rule that selected it, in words: "discover docker", "include[0]", "cgroups[1]"
};

/// What a person calls it: "namespace/pod/container" on Kubernetes, else its name, without one its cgroup.
std::string display_name(const Container& container);

}  // namespace plimsoll
