// SPDX-License-Identifier: Apache-2.0
// What fuzzers share: taking their bytes apart, and saying what does not hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace plimsoll::fuzz {

/// Throws when `holds` is false; `what` is what has to hold.
inline void require(bool holds, const char* what) {
    if (!holds) {
        throw std::logic_error(std::string("does not hold: ") + what);
    }
}

/// Bytes as fields, so that inputs can be read and written by people: what a separator ends, or all that is
/// left.
class Input {
  public:
    explicit Input(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }
    std::string_view field(char separator = '\n') {
        const auto end = rest_.find(separator);
        const auto taken = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return taken;
    }
    std::uint8_t byte() {
        const auto taken = bytes(1);
        return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
    }
    std::string_view bytes(std::size_t count) {
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(taken.size());
        return taken;
    }

  private:
    std::string_view rest_;
};

}  // namespace plimsoll::fuzz
