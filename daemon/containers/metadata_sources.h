// SPDX-License-Identifier: Apache-2.0
// One reader per kind of runtime file; metadata.h chooses among them. Each fills what its files tell and
// leaves the rest of the container as it was.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "containers/container.h"
#include "containers/metadata.h"

namespace plimsoll {

using RootList = std::vector<std::string>;

/// The file's content, and in `container` that it was asked: what it was before it was read, so that a change
/// meanwhile shows later.
std::optional<nlohmann::json> read_source(const std::string& path, Container& container);
void note_source(const std::string& path, Container& container);

// What the readers below make of a file's content. Pure.
Finding apply_docker(const nlohmann::json& file, Container& container);
/// The bundle's annotations, which containerd's CRI plugin and nerdctl fill; plain ctr leaves none.
Finding apply_containerd(const nlohmann::json& bundle, std::string_view ctr_namespace, Container& container);
/// The bundle's annotations; CRI-O writes all it knows there, Podman little.
Finding apply_storage(const nlohmann::json& bundle, Container& container);
/// The storage library's list, which knows names and images.
Finding apply_storage(const StorageIndex::Entry& entry, Container& container);
/// That list: entries by the container's id.
std::map<std::string, StorageIndex::Entry> parse_storage_list(std::string_view text);
/// The home directory of a user id in the text of a passwd file; empty: not known.
std::string home_in(std::string_view passwd, std::string_view user);

/// Docker: ROOT/containers/<id>/config.v2.json.
Finding read_docker(const RootList& roots, Container& container);

/// containerd: ROOT/io.containerd.runtime.v2.task/<namespace>/<id>/config.json in whichever namespace has it.
/// `confirm`: only when that file names container.cgroup as the container's cgroup.
Finding read_containerd(const RootList& roots, bool confirm, Container& container);

/// Podman and CRI-O: ROOT/<driver>-containers/<id>/userdata/config.json and
/// ROOT/<driver>-containers/containers.json.
Finding read_storage(const RootList& roots, StorageIndex& index, Container& container);

}  // namespace plimsoll
