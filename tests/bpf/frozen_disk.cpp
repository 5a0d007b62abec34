// SPDX-License-Identifier: Apache-2.0
#include "frozen_disk.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace plimsoll::bpf_test {

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

void require(bool done, const char* what) {
    if (!done) {
        throw std::runtime_error(what);
    }
}

}  // namespace

FrozenDisk::FrozenDisk() : lower_(64 * kMiB), directory_("/var/tmp/plimsoll-disk-XXXXXX") {
    require(unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
            "a mount namespace");
    require(std::system(("mkfs.ext4 -q -F " + lower_.path()).c_str()) == 0, "mkfs.ext4");
    require(mkdtemp(directory_.data()) != nullptr, "mkdtemp");
    require(mount(lower_.path().c_str(), directory_.c_str(), "ext4", 0, nullptr) == 0, "mount");
    mounted_ = UniqueFd(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    upper_ = std::make_unique<LoopDevice>(8 * kMiB, directory_);
    require(ioctl(mounted_.get(), FIFREEZE, 0) == 0, "freeze");
}

FrozenDisk::~FrozenDisk() {
    thaw();
    upper_.reset();
    mounted_.reset();
    umount2(directory_.c_str(), MNT_DETACH);
    rmdir(directory_.c_str());
}

void FrozenDisk::thaw() {
    ioctl(mounted_.get(), FITHAW, 0);
}

}  // namespace plimsoll::bpf_test
