// SPDX-License-Identifier: Apache-2.0
// Which text format and which encoding a client asked for (RFC 9110, section 12.5). Pure. The headers come
// from anybody: only the first kMaxNegotiated bytes count, and what cannot be understood is as if it were not
// there.
#pragma once

#include <cstddef>
#include <string_view>

#include "exposition/family_header.h"

namespace plimsoll {

inline constexpr std::size_t kMaxNegotiated = 2048;

struct Negotiated {
    TextFormat format = TextFormat::prometheus;
    std::string_view content_type;  ///< static storage
    bool gzip = false;
};

/// OpenMetrics only for a client that names it, in a version we write (1.0.0, 0.0.1 or unsaid), with a
/// quality no lower than text/plain's; everybody else gets text 0.0.4. gzip only for a client that names it
/// or `*`, with a quality no lower than identity's where that is named too.
Negotiated negotiate(std::string_view accept, std::string_view accept_encoding);

}  // namespace plimsoll
