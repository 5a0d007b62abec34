// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <algorithm>

#include "containers/metadata_file.h"
#include "containers/metadata_sources.h"

namespace plimsoll {
namespace {

constexpr std::string_view kDrivers[] = {"overlay", "vfs", "btrfs", "zfs"};
constexpr std::string_view kLists[] = {"containers.json", "volatile-containers.json"};
constexpr std::size_t kMaxListings = 64;
constexpr std::size_t kMaxEmbedded = 64u << 10;  // of JSON that is written as a string into JSON

/// `registry/path/podman-pause:version` and what Kubernetes calls the same thing.
bool is_pause_image(std::string_view image) {
    image.remove_prefix(image.rfind('/') + 1);
    image = image.substr(0, image.find_first_of(":@"));
    return image == "podman-pause" || image == "pause" || image.starts_with("pause-");
}

/// Podman names a pod's infra container with the first 12 digits of the pod's id and `-infra`. Someone else's
/// container may be called so too, but has neither the image nor the pod's cgroup.
bool is_infra(const StorageIndex::Entry& entry, std::string_view cgroup) {
    constexpr std::size_t kPodId = 12;
    const std::string_view name = entry.name;
    return name.size() == kPodId + 6 && name.ends_with("-infra") &&
           name.find_first_not_of("0123456789abcdef") == kPodId &&
           (is_pause_image(entry.image) || cgroup.find(name.substr(0, kPodId)) != std::string_view::npos);
}

}  // namespace

Finding apply_storage(const nlohmann::json& bundle, Container& container) {
    const auto* annotations = member(&bundle, "annotations");
    add_labels(container.labels, annotations);
    if (const auto labels =
            parse_bounded_json(string_member(annotations, "io.kubernetes.cri-o.Labels", kMaxEmbedded))) {
        add_labels(container.labels, &*labels);
    }
    container.pod = string_member(annotations, "io.kubernetes.pod.name");
    container.pod_namespace = string_member(annotations, "io.kubernetes.pod.namespace");
    container.pod_container = string_member(annotations, "io.kubernetes.container.name");
    container.image = string_member(annotations, "io.kubernetes.cri-o.ImageName");
    container.name = container.pod_container;
    if (auto uid = string_member(annotations, "io.kubernetes.pod.uid"); !uid.empty()) {
        container.pod_uid = std::move(uid);
    }
    const bool sandbox = string_member(annotations, "io.kubernetes.cri-o.ContainerType") == "sandbox";
    return sandbox ? Finding::helper : Finding::container;
}

Finding apply_storage(const StorageIndex::Entry& entry, Container& container) {
    container.name = container.pod_container.empty() ? entry.name : container.pod_container;
    container.image = container.image.empty() ? entry.image : container.image;
    return is_infra(entry, container.cgroup) ? Finding::helper : Finding::container;
}

std::map<std::string, StorageIndex::Entry> parse_storage_list(std::string_view text) {
    std::map<std::string, StorageIndex::Entry> entries;
    const auto list = parse_bounded_json(text);
    if (!list || !list->is_array()) {
        return entries;
    }
    for (const auto& item : *list) {
        StorageIndex::Entry entry;
        const auto* names = member(&item, "names");
        if (names && names->is_array() && !names->empty()) {
            entry.name = bounded_string(&names->front());
        }
        if (const auto metadata = parse_bounded_json(string_member(&item, "metadata", kMaxEmbedded))) {
            entry.image = string_member(&*metadata, "image-name");
        }
        entries.insert_or_assign(string_member(&item, "id"), std::move(entry));
    }
    return entries;
}

bool StorageIndex::Listing::same_file(const Listing& other) const {
    return device == other.device && inode == other.inode && size == other.size && mtime_ns == other.mtime_ns;
}

const StorageIndex::Entry* StorageIndex::find(const std::string& file, const std::string& id) {
    struct stat info{};
    if (stat(file.c_str(), &info) != 0) {
        listings_.erase(file);
        return nullptr;
    }
    Listing now{info.st_dev,
                info.st_ino,
                info.st_size,
                info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
                {}};
    auto known = listings_.find(file);
    if (known == listings_.end() || !known->second.same_file(now)) {
        if (known == listings_.end() && listings_.size() >= kMaxListings) {
            listings_.clear();
        }
        now.entries = parse_storage_list(read_bounded_file(file).value_or(""));
        known = listings_.insert_or_assign(file, std::move(now)).first;
    }
    const auto entry = known->second.entries.find(id);
    return entry == known->second.entries.end() ? nullptr : &entry->second;
}

Finding read_storage(const RootList& roots, StorageIndex& index, Container& container) {
    Finding finding = Finding::nothing;
    for (const auto& root : roots) {
        for (const auto driver : kDrivers) {
            const std::string directory = root + "/" + std::string(driver) + "-containers/";
            if (finding == Finding::nothing) {
                const auto bundle =
                    read_source(directory + container.id + "/userdata/config.json", container);
                finding = bundle && bundle->is_object() ? apply_storage(*bundle, container) : finding;
            }
            for (const auto list : kLists) {
                note_source(directory + std::string(list), container);
                const auto* entry = index.find(container.sources.back(), container.id);
                if (entry != nullptr && finding != Finding::helper) {
                    finding = apply_storage(*entry, container);
                }
            }
        }
    }
    return finding;
}

}  // namespace plimsoll
