// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>

#include <memory>

#include "containers/metadata_file.h"
#include "containers/metadata_sources.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxNamespaces = 256;
constexpr std::size_t kFullId = 64;

std::vector<std::string> namespaces_in(const std::string& tasks) {
    struct Close {
        void operator()(DIR* directory) const { closedir(directory); }
    };
    const std::unique_ptr<DIR, Close> directory(opendir(tasks.c_str()));
    std::vector<std::string> names;
    while (directory && names.size() < kMaxNamespaces) {
        const dirent* entry = readdir(directory.get());
        if (entry == nullptr) {
            break;
        }
        if (entry->d_name[0] != '.') {
            names.emplace_back(entry->d_name);
        }
    }
    return names;
}

}  // namespace

Finding apply_containerd(const nlohmann::json& bundle, std::string_view ctr_namespace, Container& container) {
    const auto* annotations = member(&bundle, "annotations");
    // Docker keeps its containers in a namespace of its own; its own files, where readable, know more.
    container.runtime = ctr_namespace == "moby" ? Runtime::docker : Runtime::containerd;
    container.pod = string_member(annotations, "io.kubernetes.cri.sandbox-name");
    container.pod_namespace = string_member(annotations, "io.kubernetes.cri.sandbox-namespace");
    container.pod_container = string_member(annotations, "io.kubernetes.cri.container-name");
    container.image = string_member(annotations, "io.kubernetes.cri.image-name");
    if (auto uid = string_member(annotations, "io.kubernetes.cri.sandbox-uid"); !uid.empty()) {
        container.pod_uid = std::move(uid);
    }
    container.name = string_member(annotations, "nerdctl/name");
    if (container.name.empty()) {
        // With ctr the id is what its user chose to call the container.
        const bool chosen = container.pod_container.empty() && container.id.size() < kFullId;
        container.name = chosen ? container.id : container.pod_container;
    }
    add_labels(container.labels, annotations);
    const bool sandbox = string_member(annotations, "io.kubernetes.cri.container-type") == "sandbox";
    return sandbox ? Finding::helper : Finding::container;
}

Finding read_containerd(const RootList& roots, bool confirm, Container& container) {
    for (const auto& root : roots) {
        const std::string tasks = root + "/io.containerd.runtime.v2.task";
        for (const auto& ctr_namespace : namespaces_in(tasks)) {
            const auto bundle =
                read_source(tasks + "/" + ctr_namespace + "/" + container.id + "/config.json", container);
            if (!bundle || !bundle->is_object()) {
                continue;
            }
            if (!confirm || string_member(member(&*bundle, "linux"), "cgroupsPath") == container.cgroup) {
                return apply_containerd(*bundle, ctr_namespace, container);
            }
        }
    }
    return Finding::nothing;
}

}  // namespace plimsoll
