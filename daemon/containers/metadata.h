// SPDX-License-Identifier: Apache-2.0
// Completes a container that its path revealed with name, image and labels from its runtime's own files; no
// socket is asked. Used by one thread, the loop's. Never fails: without a readable file a container has no
// name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "config/config.h"
#include "containers/container.h"
#include "containers/path_grammar.h"

namespace plimsoll {

enum class Finding {
    nothing,    ///< no file tells anything about it
    container,  ///< a file describes it
    helper,     ///< a file says that it only holds a pod's namespaces (pause, sandbox, infra)
};

/// Names and images out of the containers.json of Podman and CRI-O. One file lists all containers, so each
/// version of it is parsed once.
class StorageIndex {
  public:
    struct Entry {
        std::string name, image;
    };
    /// The entry of a container in that file; valid until the next call.
    const Entry* find(const std::string& file, const std::string& id);

  private:
    struct Listing {
        std::uint64_t device = 0, inode = 0;
        std::int64_t size = -1, mtime_ns = 0;
        std::map<std::string, Entry> entries;
        bool same_file(const Listing& other) const;
    };
    std::map<std::string, Listing> listings_;
};

class Metadata {
  public:
    /// `passwd_file` leads from a user id in a path to the storage of that user's rootless containers.
    explicit Metadata(Config::Containers::Roots roots, std::string passwd_file = "/etc/passwd");

    /// The container at `cgroup`, the path that `match` was made from, and what the files say of it.
    Finding describe(const PathMatch& match, std::string_view cgroup, Container& container) const;

  private:
    std::string home_of(std::string_view user) const;

    Config::Containers::Roots roots_;
    std::string passwd_file_;
    mutable StorageIndex index_;
};

}  // namespace plimsoll
