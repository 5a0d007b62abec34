// SPDX-License-Identifier: Apache-2.0
// An mmapable BPF array of T, read without a system call. The kernel has no page faults for such a mapping:
// everything that is mapped is there at once and counts as resident. So only what somebody reads is mapped.
// Loop thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"

namespace plimsoll {

/// Addresses for a whole array, which is mapped window by window.
class ArrayWindows {
  public:
    ArrayWindows() = default;
    /// `fd`: an mmapable array that outlives this. An error when it cannot be mapped.
    static Result<ArrayWindows> open(int fd, std::size_t size, bool writable);
    ArrayWindows(ArrayWindows&& other) noexcept { *this = std::move(other); }
    ArrayWindows& operator=(ArrayWindows&& other) noexcept;
    ArrayWindows(const ArrayWindows&) = delete;
    ArrayWindows& operator=(const ArrayWindows&) = delete;
    ~ArrayWindows();

    /// The bytes from `first` to `last`. Throws std::bad_alloc when the kernel has no memory for a mapping.
    [[nodiscard]] std::byte* read(std::size_t first, std::size_t last) {
        for (std::size_t window = first >> shift_; window <= last >> shift_; window++) {
            if (states_[window] != State::read) {
                need(window);
            }
        }
        return address_ + first;
    }
    /// Unmaps the windows that have not been read since the last call.
    void release_unread();

  private:
    enum class State : std::uint8_t { unmapped, unread, read };

    bool map(std::size_t window, int protection, int flags, int fd);
    void need(std::size_t window);

    int fd_ = -1;
    int protection_ = 0;
    std::byte* address_ = nullptr;
    std::size_t size_ = 0;
    unsigned shift_ = 0;  // of an offset to the number of its window
    std::vector<State> states_;
};

template <typename T>
class MappedArray {
    static_assert(sizeof(T) % 8 == 0, "array elements are 8-byte aligned in the kernel");

  public:
    MappedArray() = default;
    /// `fd`: a map of a loaded object, which outlives this.
    static Result<MappedArray> map(int fd, std::size_t count, bool writable = false) {
        auto windows = ArrayWindows::open(fd, count * sizeof(T), writable);
        if (!windows) {
            return std::unexpected(windows.error());
        }
        MappedArray result;
        result.windows_ = std::move(*windows);
        result.count_ = count;
        return result;
    }

    /// `count` live elements, at least one; the kernel writes them while they are read. Valid until the next
    /// release_unread().
    [[nodiscard]] std::span<const T> elements(std::size_t first, std::size_t count) const {
        const std::byte* begin = windows_.read(first * sizeof(T), (first + count) * sizeof(T) - 1);
        return {reinterpret_cast<const T*>(begin), count};
    }
    [[nodiscard]] std::span<const T> elements() const { return elements(0, count_); }
    [[nodiscard]] const T& operator[](std::size_t index) const { return elements(index, 1).front(); }

    /// Of an array that is mapped so; atomically where programs change the same.
    [[nodiscard]] T& writable(std::size_t index) const {
        return *reinterpret_cast<T*>(windows_.read(index * sizeof(T), (index + 1) * sizeof(T) - 1));
    }

    /// Unmaps what has not been read since the last call: slots that nobody has any more. Call it at the end
    /// of a sample.
    void release_unread() { windows_.release_unread(); }

  private:
    mutable ArrayWindows windows_;  // what is mapped of it does not change the array
    std::size_t count_ = 0;
};

}  // namespace plimsoll
