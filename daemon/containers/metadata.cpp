// SPDX-License-Identifier: Apache-2.0
#include "containers/metadata.h"

#include <algorithm>
#include <array>

#include "containers/metadata_file.h"
#include "containers/metadata_sources.h"
#include "files/parse.h"

namespace plimsoll {

void note_source(const std::string& path, Container& container) {
    container.sources.push_back(path);
    container.sources_version = version_of(std::span(&path, 1), container.sources_version);
}

std::optional<nlohmann::json> read_source(const std::string& path, Container& container) {
    note_source(path, container);
    return read_json_file(path);
}

namespace {

/// The first source that knows the container decides which runtime it has.
Finding first_of(const Config::Containers::Roots& roots, StorageIndex& index, bool confirm,
                 Container& container) {
    if (const auto found = read_docker(roots.docker, container); found != Finding::nothing) {
        container.runtime = Runtime::docker;
        return found;
    }
    if (const auto found = read_containerd(roots.containerd, confirm, container); found != Finding::nothing) {
        return found;
    }
    if (confirm) {
        return Finding::nothing;
    }
    const auto found = read_storage(roots.crio, index, container);
    container.runtime = found == Finding::nothing ? container.runtime : Runtime::crio;
    return found;
}

}  // namespace

Metadata::Metadata(Config::Containers::Roots roots, std::string passwd_file)
    : roots_(std::move(roots)), passwd_file_(std::move(passwd_file)) {}

Finding Metadata::describe(const PathMatch& match, std::string_view cgroup, Container& container) const {
    container.cgroup = cgroup;
    container.runtime = match.runtime;
    container.id = match.id;
    container.name = match.name;
    container.pod_uid = match.pod_uid;
    if (match.candidate) {
        return first_of(roots_, index_, /*confirm=*/true, container);
    }
    auto with_users = [&](RootList roots, std::string_view below_home) {
        if (const auto home = match.user.empty() ? std::string() : home_of(match.user); !home.empty()) {
            roots.push_back(home + std::string(below_home));
        }
        return roots;
    };
    switch (match.runtime) {
        case Runtime::docker:
            return read_docker(with_users(roots_.docker, "/.local/share/docker"), container);
        case Runtime::containerd:
            return read_containerd(roots_.containerd, /*confirm=*/false, container);
        case Runtime::crio:
            return read_storage(roots_.crio, index_, container);
        case Runtime::podman:
            return read_storage(with_users(roots_.podman, "/.local/share/containers/storage"), index_,
                                container);
        case Runtime::kubernetes:
            return first_of(roots_, index_, /*confirm=*/false, container);
        case Runtime::lxc:
        case Runtime::nspawn:
        case Runtime::systemd:
        case Runtime::cgroup:
            return Finding::container;
    }
    return Finding::nothing;
}

/// From the file rather than by getpwuid, which may ask a directory server over the network and wait for it.
std::string Metadata::home_of(std::string_view user) const {
    return home_in(read_bounded_file(passwd_file_).value_or(""), user);
}

std::string home_in(std::string_view passwd, std::string_view user) {
    constexpr std::size_t kUser = 2, kHome = 5;
    while (auto line = take_line(passwd)) {
        std::array<std::string_view, kHome + 1> fields;
        for (auto& field : fields) {
            field = line->substr(0, line->find(':'));
            line->remove_prefix(std::min(field.size() + 1, line->size()));
        }
        if (fields[kUser] == user && fields[kHome].starts_with('/')) {
            return std::string(fields[kHome]);
        }
    }
    return {};
}

}  // namespace plimsoll
