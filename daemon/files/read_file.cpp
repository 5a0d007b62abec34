// SPDX-License-Identifier: Apache-2.0
#include "files/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace plimsoll {
namespace {

// The kernel hands out about a page of whole lines at a time; less than this is the end.
constexpr std::size_t kSurelyLast = 3072;

}  // namespace

/// The kernel makes such a file's text anew at offset 0 and continues it beyond.
std::optional<std::string_view> FileReader::read(int fd) {
    std::size_t size = 0;
    for (;;) {
        const ssize_t got = pread(fd, buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::nullopt;
        }
        size += static_cast<std::size_t>(got);
        if (static_cast<std::size_t>(got) < kSurelyLast && size < buffer_.size()) {
            return std::string_view(buffer_).substr(0, size);
        }
        if (size == buffer_.size()) {
            buffer_.resize(buffer_.size() * 2);
        }
    }
}

std::optional<std::string_view> FileReader::read_at(int directory_fd, const char* path) {
    const UniqueFd fd(openat(directory_fd, path, O_RDONLY | O_CLOEXEC));
    return fd ? read(fd.get()) : std::nullopt;
}

UniqueFd open_directory(const std::string& path) {
    return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace plimsoll
