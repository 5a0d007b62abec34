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

/// Docker: ROOT/containers/<id>/config.v2.json.
Finding read_docker(const RootList& roots, Container& container);

/// containerd: ROOT/io.containerd.runtime.v2.task/<namespace>/<id>/config.json in whichever namespace has it.
/// `confirm`: only when that file names container.cgroup as the container's cgroup.
Finding read_containerd(const RootList& roots, bool confirm, Container& container);

/// Podman and CRI-O: ROOT/<driver>-containers/<id>/userdata/config.json and
/// ROOT/<driver>-containers/containers.json.
Finding read_storage(const RootList& roots, StorageIndex& index, Container& container);

}  // namespace plimsoll
