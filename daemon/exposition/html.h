// SPDX-License-Identifier: Apache-2.0
// Text and numbers as a person reads them on a page of HTML. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace plimsoll {

/// Appends the first `limit` bytes of `text` so that HTML shows them, in an element or a quoted attribute,
/// and does nothing else. What is no valid UTF-8 becomes the replacement character.
void append_html(std::string& out, std::string_view text, std::size_t limit = 1024);

/// 0.004, 0.50, 12.3, 250
std::string cores_text(double cores);

/// 512 B, 48.0 MiB
std::string bytes_text(double bytes);

/// The two largest units: 45 s, 12 min 5 s, 3 d 4 h
std::string duration_text(double seconds);

}  // namespace plimsoll
