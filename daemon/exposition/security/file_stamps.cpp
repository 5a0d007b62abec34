// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/file_stamps.h"

#include <sys/stat.h>

namespace plimsoll {
namespace {

std::uint64_t in_ns(const timespec& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

void FileStamps::add(const std::string& path) {
    Stamp stamp{.path = path};
    struct stat status{};
    if (stat(path.c_str(), &status) == 0) {
        stamp.device = status.st_dev;
        stamp.inode = status.st_ino;
        stamp.size = static_cast<std::uint64_t>(status.st_size);
        stamp.modified_ns = in_ns(status.st_mtim);
        stamp.changed_ns = in_ns(status.st_ctim);
    }
    stamps_.push_back(std::move(stamp));
}

FileStamps FileStamps::now() const {
    FileStamps now;
    for (const Stamp& stamp : stamps_) {
        now.add(stamp.path);
    }
    return now;
}

}  // namespace plimsoll
