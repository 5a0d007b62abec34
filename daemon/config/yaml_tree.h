// SPDX-License-Identifier: Apache-2.0
// YAML text as a small tree with positions. The part of YAML that a configuration needs: mappings, lists and
// scalars. Anchors, aliases, merge keys, tags, duplicate keys and further documents are problems, not
// features, so that the tree can never be larger than the text. Pure; the only file that includes yaml-cpp is
// the .cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace plimsoll {

struct Node {
    enum class Kind {
        null,  ///< nothing after the colon, or ~
        scalar,
        sequence,
        mapping,
        refused,  ///< already reported: to be skipped silently
    };
    Kind kind = Kind::null;
    Position at;         ///< of the value; of the key when there is no value
    std::string text;    ///< scalars
    bool plain = false;  ///< scalars: written without quotes
    std::string key;     ///< the key, when this node is an entry of a mapping
    Position key_at;
    std::vector<Node> children;  ///< items or entries, in the order of the text
};

inline constexpr int kMaxYamlDepth = 32;
inline constexpr int kMaxYamlNodes = 8192;

/// The tree of the only document in the text; a null node when the text has none. Problems are appended;
/// nullopt when the text is not readable as YAML, after which its remainder is unknown. The text must have
/// passed refuse_text().
std::optional<Node> read_yaml(std::string_view text, Problems& problems);

}  // namespace plimsoll
