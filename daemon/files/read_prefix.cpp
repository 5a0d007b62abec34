// SPDX-License-Identifier: Apache-2.0
#include "files/read_prefix.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "loop/unique_fd.h"

namespace plimsoll {

std::optional<std::string> read_prefix(int directory_fd, const char* path, std::size_t limit) {
    const UniqueFd fd(openat(directory_fd, path, O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return std::nullopt;
    }
    constexpr std::size_t kStep = 4096;
    std::string text;
    std::size_t size = 0;
    while (size < limit) {
        text.resize(std::min(limit, std::max(size + kStep, 2 * size)));
        const ssize_t got = ::read(fd.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::nullopt;
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

}  // namespace plimsoll
