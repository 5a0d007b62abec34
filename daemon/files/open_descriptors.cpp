// SPDX-License-Identifier: Apache-2.0
#include "files/open_descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

namespace plimsoll {
namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const { closedir(directory); }
};

bool is_socket(int directory, const char* descriptor) {
    constexpr std::string_view kSocket = "socket:[";
    char target[kSocket.size()];  // the rest of what it is called does not matter
    const ssize_t size = readlinkat(directory, descriptor, target, sizeof target);
    return size == static_cast<ssize_t>(sizeof target) && std::string_view(target, sizeof target) == kSocket;
}

}  // namespace

/// The size of the directory is the number of descriptors since Linux 6.2, and 0 before.
std::optional<OpenDescriptors> count_open_descriptors(int process) {
    const int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const std::unique_ptr<DIR, CloseDirectory> directory(fd < 0 ? nullptr : fdopendir(fd));  // owns it
    struct stat status{};
    if (fd < 0 && (errno == ENOENT || errno == ESRCH)) {
        return OpenDescriptors{};
    }
    if (!directory || fstat(fd, &status) != 0) {
        return std::nullopt;
    }
    OpenDescriptors found;
    std::uint64_t entries = 0;
    while (const dirent* entry = readdir(directory.get())) {
        if (entry->d_name[0] != '.') {
            ++entries;
            found.sockets += is_socket(fd, entry->d_name) ? 1 : 0;
        }
    }
    found.all = status.st_size > 0 ? static_cast<std::uint64_t>(status.st_size) : entries;
    return found;
}

}  // namespace plimsoll
