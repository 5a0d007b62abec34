// SPDX-License-Identifier: Apache-2.0
// Which directories of cgroups have had a file written to: limits move only when somebody writes them, and
// reading them costs more than being told (docs/decisions/0020). Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "loop/unique_fd.h"

namespace plimsoll {

class WriteWatch {
    struct Told {
        UniqueFd inotify;
        std::unordered_map<int, std::uint64_t> writes;  ///< by watch
        std::uint64_t count = 0;
    };

  public:
    /// One directory's watch; ends with this object.
    class Place {
      public:
        Place() = default;
        Place(Place&& other) noexcept : told_(std::move(other.told_)), id_(other.id_) {}
        Place& operator=(Place&& other) noexcept {
            std::swap(told_, other.told_);
            std::swap(id_, other.id_);
            return *this;
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() { reset(); }
        void reset();
        explicit operator bool() const { return told_ != nullptr; }
        /// A number that changes with what is written; nothing: that cannot be told (any more).
        [[nodiscard]] std::optional<std::uint64_t> writes() const;

      private:
        friend class WriteWatch;
        Place(std::shared_ptr<Told> told, int id) : told_(std::move(told)), id_(id) {}
        std::shared_ptr<Told> told_;
        int id_ = -1;
    };

    WriteWatch();
    /// Empty where the kernel grants no further watch.
    Place add(const char* directory);
    /// Takes note of all that was written until now.
    void collect();

  private:
    std::shared_ptr<Told> told_ = std::make_shared<Told>();
    bool refused_ = false;  ///< there is no use in asking again before the next collect()
};

}  // namespace plimsoll
