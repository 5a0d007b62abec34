// SPDX-License-Identifier: Apache-2.0
// The page at `/`: what each container does now, in a table that a browser shows without script or any other
// resource. Pure; HTTP threads call it. Whatever the names hold, it stays one valid page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "exposition/overview.h"

namespace plimsoll {

/// At most this many containers have a row; the number of the rest is given.
inline constexpr std::size_t kMaxRows = 500;

struct Host {
    std::string name;
    double memory_bytes = 0;
};

/// The machine that this program runs on.
Host this_host();

class StartPage {
  public:
    StartPage(std::string_view version, Host host, SortKey sort)
        : version_(version), host_(std::move(host)), sort_(sort) {}

    std::string table(Overview overview) const;

    /// The page while there is nothing to show: one sentence says why.
    std::string excuse(std::string_view sentence) const;

  private:
    std::string begin() const;
    void append_facts(std::string& out, const Overview& overview) const;
    void append_table(std::string& out, const Overview& overview) const;
    void append_heads(std::string& out, const Overview& overview) const;

    std::string_view version_;
    Host host_;
    SortKey sort_;
};

}  // namespace plimsoll
