// SPDX-License-Identifier: Apache-2.0
#include "containers/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxDepth = 256;
constexpr std::size_t kMaxDirectories = 1'000'000;

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory open_directory(int parent, const char* name, int flags) {
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    DIR* const directory = fd >= 0 ? fdopendir(fd) : nullptr;
    if (fd >= 0 && directory == nullptr) {
        close(fd);
    }
    return Directory(directory);
}

class Walker {
  public:
    Walker(const WalkCallback& callback, dev_t device) : callback_(callback), device_(device) {}
    WalkResult run(Directory root, std::uint64_t id);

  private:
    void enter(Directory directory, std::uint64_t id);
    void descend(DIR* parent, const dirent& entry);

    /// One for each directory from the root to where the walk is. Descending by descriptor works where the
    /// path is longer than PATH_MAX.
    struct Level {
        Directory directory;
        std::size_t path_length;
    };

    const WalkCallback& callback_;
    const dev_t device_;
    std::string path_;
    std::vector<Level> levels_;
    WalkResult result_;
};

void Walker::enter(Directory directory, std::uint64_t id) {
    ++result_.visited;
    callback_(path_.empty() ? std::string_view("/") : std::string_view(path_), id);
    levels_.push_back({std::move(directory), path_.size()});
}

void Walker::descend(DIR* parent, const dirent& entry) {
    const std::string_view name = entry.d_name;
    if ((entry.d_type != DT_DIR && entry.d_type != DT_UNKNOWN) || name == "." || name == "..") {
        return;
    }
    if (levels_.size() >= kMaxDepth || result_.visited >= kMaxDirectories) {
        ++result_.skipped;
        return;
    }
    Directory directory = open_directory(dirfd(parent), entry.d_name, O_NOFOLLOW);
    struct stat info{};
    if (!directory || fstat(dirfd(directory.get()), &info) != 0) {
        result_.skipped += errno == ENOENT || errno == ENODEV || errno == ENOTDIR ? 0 : 1;
        return;
    }
    if (info.st_dev == device_) {  // else something else is mounted there
        path_.append("/").append(name);
        enter(std::move(directory), info.st_ino);
    }
}

WalkResult Walker::run(Directory root, std::uint64_t id) {
    enter(std::move(root), id);
    while (!levels_.empty()) {
        path_.resize(levels_.back().path_length);
        DIR* const directory = levels_.back().directory.get();
        errno = 0;
        if (const dirent* entry = readdir(directory)) {
            descend(directory, *entry);
        } else {
            result_.skipped += errno == 0 || errno == ENOENT ? 0 : 1;  // gone, or its end cannot be seen
            levels_.pop_back();
        }
    }
    return result_;
}

}  // namespace

Result<WalkResult> walk(const CgroupLayout& layout, const WalkCallback& callback) {
    Directory root = open_directory(AT_FDCWD, layout.mount.c_str(), 0);
    struct stat info{};
    if (!root || fstat(dirfd(root.get()), &info) != 0) {
        return fail_errno("open " + layout.mount, errno);
    }
    return Walker(callback, info.st_dev).run(std::move(root), info.st_ino);
}

std::optional<std::string> path_of(const CgroupLayout& layout, std::uint64_t cgroup_id) {
    constexpr int kKernfsHandle = 0xfe;  // FILEID_KERNFS: the handle is the 64-bit id itself
    alignas(file_handle) unsigned char storage[sizeof(file_handle) + sizeof cgroup_id];
    auto* handle = reinterpret_cast<file_handle*>(storage);
    handle->handle_bytes = sizeof cgroup_id;
    handle->handle_type = kKernfsHandle;
    std::memcpy(handle->f_handle, &cgroup_id, sizeof cgroup_id);
    const UniqueFd mount(open(layout.mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const UniqueFd found(mount ? open_by_handle_at(mount.get(), handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                               : -1);
    if (!found) {
        return std::nullopt;
    }
    char target[PATH_MAX];
    const auto link = "/proc/self/fd/" + std::to_string(found.get());
    const ssize_t length = readlink(link.c_str(), target, sizeof target);
    std::string_view path(target, length > 0 ? static_cast<std::size_t>(length) : 0);
    if (!path.starts_with(layout.mount)) {
        return std::nullopt;
    }
    path.remove_prefix(layout.mount.size());
    std::string below(path.empty() ? "/" : path);
    // A removed cgroup reads as "… (deleted)", and one outside of what is mounted as some other path: both
    // have no directory with this id.
    return id_of(layout, below) == cgroup_id ? std::optional(std::move(below)) : std::nullopt;
}

std::optional<std::uint64_t> id_of(const CgroupLayout& layout, std::string_view path) {
    struct stat info{};
    const std::string full = layout.mount + std::string(path);
    if (!path.starts_with('/') || lstat(full.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
        return std::nullopt;
    }
    return info.st_ino;
}

}  // namespace plimsoll
