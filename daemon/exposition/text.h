// SPDX-License-Identifier: Apache-2.0
// A snapshot as the text that Prometheus reads. Pure; HTTP threads call it, each with a buffer of its own.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "exposition/family_header.h"
#include "exposition/snapshot.h"

namespace plimsoll {

struct Rendered {
    std::string body;
    std::size_t series = 0;
    std::size_t bytes = 0;  ///< of the whole text
};

/// Takes pieces of the text, in order.
using TextSink = std::function<void(std::string_view)>;

/// Replaces `out` by the whole page: the containers' families in order, then the agent's own. Families
/// without samples are left out. Every family may occur once (see repeated_family). With a sink the text goes
/// there, and `out.body` is a small buffer on the way.
void render(const Snapshot& snapshot, TextFormat format, Rendered& out, const TextSink& sink = {});

/// The name of a family that the snapshot holds twice, if any: a page must not, whichever probe's fault it
/// is.
std::optional<std::string_view> repeated_family(const Snapshot& snapshot);

}  // namespace plimsoll
