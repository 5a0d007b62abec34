// SPDX-License-Identifier: Apache-2.0
// Checks records of the event channel and counts them by kind. Pure; loop thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "shared/events.h"

namespace plimsoll {

inline constexpr std::array<std::string_view, EVENT_KINDS> kEventKinds{
#define PLIMSOLL_EVENT_NAME(name) #name,
    PLIMSOLL_EVENT_KINDS(PLIMSOLL_EVENT_NAME)
#undef PLIMSOLL_EVENT_NAME
};

class EventCounts {
  public:
    /// The header of a record that is as large as its kind needs; nothing (and one more malformed) otherwise.
    std::optional<event_header> accept(std::span<const std::byte> record) {
        event_header header{};
        if (record.size() < sizeof(header)) {
            malformed_++;
            return std::nullopt;
        }
        std::memcpy(&header, record.data(), sizeof(header));
        if (header.kind >= EVENT_KINDS || record.size() < needed(header.kind)) {
            malformed_++;
            return std::nullopt;
        }
        counts_[header.kind]++;
        return header;
    }

    [[nodiscard]] std::uint64_t count(std::size_t kind) const { return counts_[kind]; }
    [[nodiscard]] std::uint64_t malformed() const { return malformed_; }

  private:
    static std::size_t needed(std::uint32_t kind) {
        switch (static_cast<plimsoll_event_kind>(kind)) {
            case EVENT_cgroup_birth:
            case EVENT_cgroup_death:
                return offsetof(cgroup_event, path);
            case EVENT_exec:
            case EVENT_exit:
            case EVENT_oom_kill:
                return sizeof(process_event);
            case EVENT_moved:
            case EVENT_KINDS:
                break;
        }
        return sizeof(event_header);
    }

    std::array<std::uint64_t, EVENT_KINDS> counts_{};
    std::uint64_t malformed_ = 0;
};

}  // namespace plimsoll
