// SPDX-License-Identifier: Apache-2.0
// What of a container's waits and traffic is shown as whose. The kernel's accounts of peers come and go; here
// they become series that only grow, at most so many, and one for all others. Pure; used by the loop thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll {

struct PeerValues {
    std::uint64_t wait_ns = 0;
    std::array<std::uint64_t, 2> bytes{};  ///< by enum plimsoll_direction
    std::uint64_t connections = 0;
    std::uint64_t errors = 0;

    PeerValues& operator+=(const PeerValues& more);
    /// What `later` has more than this. A wait that is read while it ends can be a little less.
    [[nodiscard]] PeerValues growth(const PeerValues& later) const;
    [[nodiscard]] bool any() const { return *this != PeerValues{}; }
    bool operator==(const PeerValues&) const = default;
};

/// Of one container. What it is given and what it shows has the same sum, always.
class PeerShares {
  public:
    /// An account of the kernel at one moment, cumulative since the account is there.
    struct Reading {
        std::string account;  ///< its key, as bytes
        std::string label;
        PeerValues values;
    };
    struct Shown {
        std::string label;
        PeerValues values;
    };

    /// All accounts that there are now. `rest`: what the kernel itself has put together.
    void update(std::span<const Reading> readings, const PeerValues& rest);

    /// The account is gone, or a part of what it was made of: it goes on at `left`.
    void close(std::string_view account, const PeerValues& left = {});

    /// The peers with the most, at most `most` of them. Who is shown stays so, unless somebody else has more
    /// than twice as much: a series that ends is worse than one that is not quite the largest.
    std::vector<Shown> show(std::size_t most);
    /// What show() did not.
    [[nodiscard]] PeerValues other() const;

  private:
    struct Share {
        PeerValues total;
        PeerValues told_as_other;  ///< while it was not shown; it stays there, since no counter goes back
        bool shown = false;
        bool present = false;  ///< it has an account
    };

    void choose(std::size_t most);

    std::map<std::string, PeerValues, std::less<>> seen_;  // by account
    std::map<std::string, Share, std::less<>> shares_;     // by label
    PeerValues rest_, former_;                             // former_: of shares that are gone
};

}  // namespace plimsoll
