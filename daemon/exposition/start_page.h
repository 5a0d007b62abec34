// SPDX-License-Identifier: Apache-2.0
// The page at `/`: version, what is watched, links. Pure. Plain HTML without any external resource or script.
#pragma once

#include <string>
#include <string_view>

#include "exposition/scrape_source.h"

namespace plimsoll {

/// Appends the first 1,024 bytes of `text` so that HTML shows them and does nothing else.
void append_html(std::string& out, std::string_view text);

/// At most 1,000 containers are listed; the number of the rest is given.
std::string render_start_page(std::string_view version, const Status& status);

}  // namespace plimsoll
