// SPDX-License-Identifier: Apache-2.0
#include "kernel/mapped_array.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>

namespace plimsoll {

namespace {

// Each window that is mapped is an area of its own to the kernel, which has 65,530 of them for a process.
constexpr std::size_t kMaxWindows = 128;

constexpr int kNothing = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

}  // namespace

Result<ArrayWindows> ArrayWindows::open(int fd, std::size_t size, bool writable) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    ArrayWindows result;
    result.fd_ = fd;
    result.protection_ = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    result.size_ = (size + page - 1) / page * page;
    result.shift_ =
        static_cast<unsigned>(std::countr_zero(std::bit_ceil(std::max(page, size / kMaxWindows))));
    result.states_.resize(((result.size_ - 1) >> result.shift_) + 1);
    void* address = mmap(nullptr, result.size_, PROT_NONE, kNothing, -1, 0);
    if (address == MAP_FAILED) {
        return fail_errno("addresses for a BPF array", errno);
    }
    result.address_ = static_cast<std::byte*>(address);
    if (!result.map(0, result.protection_, MAP_SHARED, fd)) {
        return fail_errno("mmap of a BPF array", errno);
    }
    result.states_[0] = State::read;
    return result;
}

ArrayWindows& ArrayWindows::operator=(ArrayWindows&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(protection_, other.protection_);
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    std::swap(shift_, other.shift_);
    std::swap(states_, other.states_);
    return *this;
}

ArrayWindows::~ArrayWindows() {
    if (address_ != nullptr) {
        munmap(address_, size_);
    }
}

/// In the place of what is mapped there now.
bool ArrayWindows::map(std::size_t window, int protection, int flags, int fd) {
    const std::size_t offset = window << shift_;
    const std::size_t size = std::min(std::size_t{1} << shift_, size_ - offset);
    const auto file_offset = static_cast<off_t>(fd < 0 ? 0 : offset);
    return mmap(address_ + offset, size, protection, flags | MAP_FIXED, fd, file_offset) != MAP_FAILED;
}

void ArrayWindows::need(std::size_t window) {
    if (states_[window] == State::unmapped && !map(window, protection_, MAP_SHARED, fd_)) {
        throw std::bad_alloc();
    }
    states_[window] = State::read;
}

void ArrayWindows::release_unread() {
    for (std::size_t window = 0; window < states_.size(); window++) {
        if (states_[window] == State::unread) {
            map(window, PROT_NONE, kNothing, -1);
            states_[window] = State::unmapped;
        } else if (states_[window] == State::read) {
            states_[window] = State::unread;
        }
    }
}

}  // namespace plimsoll
