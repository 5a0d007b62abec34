// SPDX-License-Identifier: Apache-2.0
#include "files/root_file_system.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

#include "files/mounts.h"
#include "files/process_files.h"
#include "files/read_prefix.h"
#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

// A container decides how many mounts it has; its root is among the first.
constexpr std::size_t kMountinfo = 1024UL * 1024;
constexpr std::size_t kUevent = 4096;

/// The host's view: init's, or where that may not be looked at the agent's own.
std::string host_mountinfo(const std::string& proc_root) {
    auto text = read_prefix(AT_FDCWD, (proc_root + "/1/mountinfo").c_str(), kMountinfo);
    if (!text) {
        text = read_prefix(AT_FDCWD, (proc_root + "/self/mountinfo").c_str(), kMountinfo);
    }
    return text.value_or("");
}

UniqueFd open_hosts_root(const std::string& proc_root) {
    constexpr int kFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    UniqueFd root(open((proc_root + "/1/root").c_str(), kFlags));
    return root ? std::move(root) : UniqueFd(open("/", kFlags));
}

/// Without following a symbolic link: behind one there may be another file system than the path says, one
/// that must not be touched.
UniqueFd open_plainly(const UniqueFd& root, const std::string& path) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_IN_ROOT;
    return root ? UniqueFd(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)))
                : UniqueFd();
}

bool on_remote(std::string_view host, const std::string& path) {
    const auto mount = path.starts_with('/') ? mount_of(host, path) : std::nullopt;
    return mount && is_remote(mount->type);
}

/// An overlay's statfs is that of the file system of its upper directory, which only the host can name. That
/// it is the same one is checked by its figures: the path is of whoever mounted the overlay, perhaps in a
/// container of their own.
std::optional<Mount> below_overlay(const Mount& overlay, std::string_view host, int root,
                                   const std::string& proc_root) {
    const auto upper = mount_option(overlay, "upperdir");
    if (upper.size() != 1 || !upper.front().starts_with('/')) {
        return std::nullopt;
    }
    const auto mount = mount_of(host, upper.front());
    if (!mount || is_remote(mount->type)) {
        return std::nullopt;
    }
    const UniqueFd directory = open_plainly(open_hosts_root(proc_root), upper.front());
    struct statfs through_overlay{}, directly{};
    const bool same = directory && fstatfs(root, &through_overlay) == 0 &&
                      fstatfs(directory.get(), &directly) == 0 && is_alike(through_overlay, directly);
    return same ? mount : std::nullopt;
}

/// No overlay is asked that may have to ask a server for one of its layers.
bool has_remote_layer(const Mount& overlay, std::string_view host) {
    for (const auto* option : {"upperdir", "lowerdir", "datadir"}) {
        if (std::ranges::any_of(mount_option(overlay, option),
                                [&](const auto& path) { return on_remote(host, path); })) {
            return true;
        }
    }
    return false;
}

/// A host that was booted without an initial RAM disk calls its device /dev/root.
std::string real_name(const Mount& mount) {
    std::string name = device_name(mount);
    if (name != "/dev/root") {
        return name;
    }
    const auto text = read_prefix(AT_FDCWD, ("/sys/dev/block/" + mount.number + "/uevent").c_str(), kUevent);
    const auto device = text ? device_in(*text) : "";
    return device.empty() ? name : "/dev/" + std::string(device);
}

/// Not to be kept open: that would keep the container's file systems from being unmounted.
UniqueFd open_root(int process) {
    return UniqueFd(openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace

bool is_alike(const struct statfs& one, const struct statfs& other) {
    return one.f_blocks == other.f_blocks && one.f_frsize == other.f_frsize;
}

std::optional<RootFileSystem::Identity> RootFileSystem::identity_of(int directory, const char* path) {
    struct statx status{};
    if (statx(directory, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) {
        return std::nullopt;
    }
    return Identity{status.stx_dev_major, status.stx_dev_minor, status.stx_ino};
}

std::optional<RootFileSystem::Identity> RootFileSystem::hosts_root(const std::string& proc_root) {
    const auto inits = identity_of(AT_FDCWD, (proc_root + "/1/root").c_str());
    return inits ? inits : identity_of(AT_FDCWD, "/");
}

/// mountinfo comes first: opening a root directory that is on a dead network file system, or asking statfs
/// there, waits for its server, and with it the whole agent.
void RootFileSystem::learn(int process, const std::string& proc_root) {
    root_.reset();
    device_.clear();
    known_ = false;
    const auto text = read_prefix(process, "mountinfo", kMountinfo);
    const auto mount = text ? root_mount(*text) : std::nullopt;
    if (!mount || is_remote(mount->type)) {
        return;
    }
    const bool overlay = mount->type == "overlay";
    const std::string host = overlay ? host_mountinfo(proc_root) : "";
    if (overlay && has_remote_layer(*mount, host)) {
        return;
    }
    const UniqueFd root = open_root(process);
    root_ = root ? identity_of(root.get(), "") : std::nullopt;
    const auto hosts = root_ ? hosts_root(proc_root) : std::nullopt;
    known_ = hosts && *root_ == *hosts;
    if (!hosts || known_) {
        return;
    }
    const auto written = overlay ? below_overlay(*mount, host, root.get(), proc_root) : mount;
    if (written) {
        device_ = real_name(*written);
        known_ = true;
    }
}

/// A container's first process changes its root soon after its start, so what was learnt holds for this root
/// directory only. What could not be told is tried again, ever more seldom: mountinfo may be long.
std::optional<RootFileSystem::Space> RootFileSystem::look(int process, bool other,
                                                          const std::string& proc_root) {
    looks_ = other ? 0 : looks_;
    if (other || (!known_ && std::has_single_bit(++looks_))) {
        learn(process, proc_root);
    }
    UniqueFd root = root_ ? open_root(process) : UniqueFd();
    if (root && identity_of(root.get(), "") != root_) {
        looks_ = 0;
        learn(process, proc_root);
        root = root_ ? open_root(process) : UniqueFd();
    }
    struct statfs status{};
    if (!root || device_.empty() || fstatfs(root.get(), &status) != 0) {
        return std::nullopt;
    }
    const auto unit = static_cast<std::uint64_t>(status.f_frsize);
    return Space{status.f_blocks * unit, (status.f_blocks - std::min(status.f_bfree, status.f_blocks)) * unit,
                 status.f_files, status.f_ffree};
}

}  // namespace plimsoll
