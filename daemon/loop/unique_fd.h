// SPDX-License-Identifier: Apache-2.0
// A file descriptor that closes itself.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace plimsoll {

class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void reset() {
        if (fd_ >= 0) {
            close(std::exchange(fd_, -1));
        }
    }

  private:
    int fd_ = -1;
};

/// Numbers below this are for what comes and goes, connections above all, so that they are found without a
/// look at the thousands of files that readers may keep.
inline constexpr int kKeptFrom = 1024;

/// The same descriptor with a number of kKeptFrom or above where the limit allows it.
inline UniqueFd out_of_the_way(UniqueFd fd) {
    UniqueFd moved(fd ? fcntl(fd.get(), F_DUPFD_CLOEXEC, kKeptFrom) : -1);
    return moved ? std::move(moved) : std::move(fd);
}

}  // namespace plimsoll
