// SPDX-License-Identifier: Apache-2.0
#include "containers/container.h"

namespace plimsoll {

std::string_view to_string(Runtime runtime) {
    switch (runtime) {
        case Runtime::docker:
            return "docker";
        case Runtime::containerd:
            return "containerd";
        case Runtime::crio:
            return "crio";
        case Runtime::podman:
            return "podman";
        case Runtime::kubernetes:
            return "kubernetes";
        case Runtime::lxc:
            return "lxc";
        case Runtime::nspawn:
            return "nspawn";
        case Runtime::systemd:
            return "systemd";
        case Runtime::cgroup:
            return "cgroup";
    }
    return "";
}

std::string display_name(const Container& container) {
    if (!container.pod.empty() && !container.pod_container.empty()) {
        return container.pod_namespace + "/" + container.pod + "/" + container.pod_container;
    }
    return container.name.empty() ? container.cgroup : container.name;
}

}  // namespace plimsoll
