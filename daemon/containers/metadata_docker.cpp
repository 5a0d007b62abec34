// SPDX-License-Identifier: Apache-2.0
#include "containers/metadata_file.h"
#include "containers/metadata_sources.h"

namespace plimsoll {

Finding apply_docker(const nlohmann::json& file, Container& container) {
    const auto* config = member(&file, "Config");
    const auto* labels = member(config, "Labels");
    const auto name = string_member(&file, "Name");
    container.name = name.starts_with('/') ? name.substr(1) : name;
    container.image = string_member(config, "Image");
    container.pod = string_member(labels, "io.kubernetes.pod.name");
    container.pod_namespace = string_member(labels, "io.kubernetes.pod.namespace");
    container.pod_container = string_member(labels, "io.kubernetes.container.name");
    if (auto uid = string_member(labels, "io.kubernetes.pod.uid"); !uid.empty()) {
        container.pod_uid = std::move(uid);
    }
    add_labels(container.labels, labels);
    const bool sandbox = string_member(labels, "io.kubernetes.docker.type") == "podsandbox";
    return sandbox || container.pod_container == "POD" ? Finding::helper : Finding::container;
}

Finding read_docker(const RootList& roots, Container& container) {
    for (const auto& root : roots) {
        const auto file = read_source(root + "/containers/" + container.id + "/config.v2.json", container);
        if (file && file->is_object()) {
            return apply_docker(*file, container);
        }
    }
    return Finding::nothing;
}

}  // namespace plimsoll
