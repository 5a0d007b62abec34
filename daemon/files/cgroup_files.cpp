// SPDX-License-Identifier: Apache-2.0
#include "files/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace plimsoll {
namespace {

constexpr std::uint64_t kTrusted = 60'000'000'000;  // ns

}  // namespace

std::optional<std::string_view> CgroupReader::first(const CgroupHierarchy* hierarchy, CgroupName cgroup,
                                                    CgroupDirectory& directory, const char* file,
                                                    KeptFd* kept) {
    if (hierarchy == nullptr) {
        return std::nullopt;
    }
    const bool known = directory.found_;
    if (known && !directory.directory_ && !alive(cgroup)) {
        directory.leave();  // a path alone does not tell a cgroup from its successor
        return std::nullopt;
    }
    if (!known && !enter(*hierarchy, cgroup, directory)) {
        return std::nullopt;
    }
    const auto text = next(*hierarchy, cgroup, directory, file, kept);
    if (text || !known) {
        return text;  // or there is no such file
    }
    if (is_identity(*hierarchy) && alive(cgroup)) {
        return std::nullopt;  // there is none any more
    }
    // Removed; in another hierarchy it may have been made anew for a container that lives on.
    directory.leave();
    return enter(*hierarchy, cgroup, directory) ? next(*hierarchy, cgroup, directory, file, kept)
                                                : std::nullopt;
}

std::optional<std::string_view> CgroupReader::next(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                                   const CgroupDirectory& directory, const char* file,
                                                   KeptFd* kept) {
    if (kept != nullptr && *kept) {
        if (const auto text = reader_.read(kept->get())) {
            return text;
        }
        kept->reset();
    }
    const bool here = static_cast<bool>(directory.directory_);
    UniqueFd fd(openat(here ? directory.directory_.get() : kNowhere,
                       here ? file : path_of(hierarchy.mount, cgroup.path, file), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return std::nullopt;
    }
    const auto text = reader_.read(fd.get());
    if (kept != nullptr && text) {
        kept->keep(fd, budget_);
    }
    return text;
}

bool CgroupReader::watch_limits(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                CgroupDirectory& directory) {
    if (!directory.written_) {
        directory.written_ = writes_.add(path_of(hierarchy.mount, cgroup.path, ""));
    }
    const auto writes = directory.written_.writes();
    if (writes != directory.writes_ || now_ns_ - directory.remembered_ns_ > kTrusted) {
        directory.limits_.clear();
        directory.writes_ = writes.value_or(0);
        directory.remembered_ns_ = now_ns_;
    }
    return writes.has_value();
}

std::optional<std::string_view> CgroupReader::limit(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                                    CgroupDirectory& directory, const char* file) {
    const bool told = watch_limits(hierarchy, cgroup, directory);
    for (const auto& known : directory.limits_) {
        if (known.file == file) {
            return known.text;
        }
    }
    const auto text = next(hierarchy, cgroup, directory, file);
    if (text && told) {
        directory.limits_.push_back({file, std::string(*text)});
    }
    return text;
}

std::optional<std::string_view> CgroupReader::below(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                                    const CgroupDirectory& directory,
                                                    const std::string& file) {
    return cgroup.path.ends_with(".scope") ? next(hierarchy, cgroup, directory, ("container/" + file).c_str())
                                           : std::nullopt;
}

std::optional<std::string_view> CgroupReader::limit_below(const CgroupHierarchy& hierarchy, CgroupName cgroup,
                                                          CgroupDirectory& directory,
                                                          const std::string& file) {
    const auto text = below(hierarchy, cgroup, directory, file);
    if (!text || text->starts_with("max")) {
        return std::nullopt;
    }
    directory.below_ = true;
    return text;
}

/// Without a descriptor to spare it is enough that the directory is there.
bool CgroupReader::enter(const CgroupHierarchy& hierarchy, CgroupName cgroup, CgroupDirectory& directory) {
    const auto inode = inode_of(hierarchy.mount, cgroup.path);
    if (!inode || (is_identity(hierarchy) ? *inode != cgroup.id : !alive(cgroup))) {
        return false;
    }
    directory.found_ = true;
    directory.gone_ = false;
    UniqueFd fd(
        openat(kNowhere, path_of(hierarchy.mount, cgroup.path, ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info{};
    if (fd && fstat(fd.get(), &info) == 0 && info.st_ino == *inode) {
        directory.directory_.keep(fd, budget_ == nullptr ? nullptr : budget_->for_directories());
    } else {
        directory.directory_.reset();
    }
    return true;
}

bool CgroupReader::alive(CgroupName cgroup) {
    return inode_of(layout_->mount, cgroup.path) == cgroup.id;
}

std::optional<std::uint64_t> CgroupReader::inode_of(std::string_view mount, std::string_view path) {
    struct stat info{};
    if (lstat(path_of(mount, path, ""), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return std::nullopt;
    }
    return info.st_ino;
}

const char* CgroupReader::path_of(std::string_view mount, std::string_view cgroup, const char* file) {
    path_.assign(mount).append(cgroup).append("/").append(file);
    return path_.c_str();
}

}  // namespace plimsoll
