// SPDX-License-Identifier: Apache-2.0
// How many descriptors may be kept for the sake of speed, and one that counts. Owned by the daemon, used by
// the loop thread.
#pragma once

#include <cstddef>
#include <utility>

#include "loop/unique_fd.h"

namespace plimsoll {

/// Raises the soft limit of open files to the hard one; the limit in force afterwards.
std::size_t raise_descriptor_limit();

/// What of such a limit may be kept; the rest is for connections, kernel programs and files that are open for
/// a moment.
struct KeepableDescriptors {
    std::size_t files;
    std::size_t directories;  ///< of cgroups: the first of them saves more than a file does
    std::size_t processes;    ///< one of each container: they are dear to find, and not left without by files
};
KeepableDescriptors keepable_descriptors(std::size_t limit, std::size_t containers);

class DescriptorBudget {
  public:
    /// `directories`: what directories are taken from; null: from this, too.
    explicit DescriptorBudget(std::size_t left, DescriptorBudget* directories = nullptr)
        : left_(left), directories_(directories) {}
    ~DescriptorBudget() = default;
    DescriptorBudget(const DescriptorBudget&) = delete;
    DescriptorBudget& operator=(const DescriptorBudget&) = delete;

    [[nodiscard]] std::size_t left() const { return left_; }
    bool take() {
        const bool there = left_ > 0;
        left_ -= there ? 1 : 0;
        return there;
    }
    void give_back() { ++left_; }
    [[nodiscard]] DescriptorBudget* for_directories() {
        return directories_ != nullptr ? directories_ : this;
    }

  private:
    std::size_t left_;
    DescriptorBudget* directories_;
};

/// A descriptor that is kept and counted as long as it is.
class KeptFd {
  public:
    KeptFd() = default;
    KeptFd(KeptFd&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), fd_(std::move(other.fd_)) {}
    KeptFd& operator=(KeptFd&& other) noexcept {
        if (this != &other) {
            reset();
            budget_ = std::exchange(other.budget_, nullptr);
            fd_ = std::move(other.fd_);
        }
        return *this;
    }
    KeptFd(const KeptFd&) = delete;
    KeptFd& operator=(const KeptFd&) = delete;
    ~KeptFd() { reset(); }

    /// Keeps `fd` while the budget lasts; else leaves it where it is.
    void keep(UniqueFd& fd, DescriptorBudget* budget) {
        reset();
        if (fd && budget != nullptr && budget->take()) {
            budget_ = budget;
            fd_ = out_of_the_way(std::move(fd));
        }
    }
    void reset() {
        fd_.reset();
        if (budget_ != nullptr) {
            std::exchange(budget_, nullptr)->give_back();
        }
    }
    [[nodiscard]] int get() const { return fd_.get(); }
    explicit operator bool() const { return static_cast<bool>(fd_); }

  private:
    DescriptorBudget* budget_ = nullptr;
    UniqueFd fd_;
};

}  // namespace plimsoll
