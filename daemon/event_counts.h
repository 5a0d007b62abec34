// SPDX-License-Identifier: Apache-2.0
// Checks records of the event channel, counts them by kind and takes them apart. Pure; loop thread.
#pragma once

#include <algorithm>
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

/// The content of an accepted record; what it is shorter than Event is 0.
template <typename Event>
Event content_of(std::span<const std::byte> record) {
    Event event{};
    std::memcpy(&event, record.data(), std::min(record.size(), sizeof(event)));
    return event;
}

/// A birth or death, whose path has no more bytes than the record.
inline cgroup_event cgroup_event_of(std::span<const std::byte> record) {
    auto event = content_of<cgroup_event>(record);
    const std::size_t room = std::min(record.size(), sizeof(event)) - offsetof(cgroup_event, path);
    event.path_size = static_cast<std::uint32_t>(std::min<std::size_t>(event.path_size, room));
    return event;
}

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
            case EVENT_connection:
                return sizeof(connection_event);
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
