// SPDX-License-Identifier: Apache-2.0
#include "exposition/label_reader.h"

#include <cstddef>

namespace plimsoll {
namespace {

/// Cuts an escaped value and its closing quote off the front of `rest`.
std::string take_value(std::string_view& rest) {
    std::string value;
    std::size_t i = 0;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
        if (rest[i] != '\\' || i + 1 == rest.size()) {
            value += rest[i];
            continue;
        }
        ++i;
        value += rest[i] == 'n' ? '\n' : rest[i];
    }
    rest.remove_prefix(i < rest.size() ? i + 1 : rest.size());
    return value;
}

}  // namespace

std::string label_value(std::string_view labels, std::string_view name) {
    while (true) {
        const std::size_t equals = labels.find("=\"");
        if (equals == std::string_view::npos) {
            return {};
        }
        const std::string_view found = labels.substr(0, equals);
        labels.remove_prefix(equals + 2);
        std::string value = take_value(labels);
        if (found == name) {
            return value;
        }
        labels.remove_prefix(labels.starts_with(',') ? 1 : 0);
    }
}

}  // namespace plimsoll
