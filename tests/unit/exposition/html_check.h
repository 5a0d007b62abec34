// SPDX-License-Identifier: Apache-2.0
// A strict reader of HTML as the start page may write it, for tests: every element is closed in order, every
// attribute quoted, nothing unescaped in texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::testing {

/// What is wrong with the page, one sentence; empty when it is well-formed.
std::string html_problem(std::string_view page);

/// The texts of the elements that begin with `tag` (`<td class="c1"`), in order, without the tags within.
std::vector<std::string> texts_of(std::string_view page, std::string_view tag);

}  // namespace plimsoll::testing
