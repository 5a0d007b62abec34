// SPDX-License-Identifier: Apache-2.0
// An mmapable BPF array of T, read without a system call.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "core/error.h"

namespace plimsoll {

template <typename T>
class MappedArray {
    static_assert(sizeof(T) % 8 == 0, "array elements are 8-byte aligned in the kernel");

  public:
    MappedArray() = default;
    static Result<MappedArray> map(int fd, std::size_t count) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t size = (count * sizeof(T) + page - 1) / page * page;
        void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
        if (address == MAP_FAILED) {
            return fail_errno("mmap of a BPF array", errno);
        }
        MappedArray result;
        result.address_ = address;
        result.size_ = size;
        result.count_ = count;
        return result;
    }
    MappedArray(MappedArray&& other) noexcept { *this = std::move(other); }
    MappedArray& operator=(MappedArray&& other) noexcept {
        std::swap(address_, other.address_);
        std::swap(size_, other.size_);
        std::swap(count_, other.count_);
        return *this;
    }
    MappedArray(const MappedArray&) = delete;
    MappedArray& operator=(const MappedArray&) = delete;
    ~MappedArray() {
        if (address_ != nullptr) {
            munmap(address_, size_);
        }
    }

    /// The live elements; the kernel writes them while they are read.
    [[nodiscard]] std::span<const T> elements() const { return {static_cast<const T*>(address_), count_}; }

  private:
    void* address_ = nullptr;
    std::size_t size_ = 0;
    std::size_t count_ = 0;
};

}  // namespace plimsoll
