// SPDX-License-Identifier: Apache-2.0
// The label of a network interface, the same for whoever tells about it.
#pragma once

#include <string>
#include <string_view>

#include "exposition/labels.h"

namespace plimsoll {

/// A name is up to 15 bytes of somebody's choice. One that is no text, or that looks like what is written for
/// such a one, has its bytes behind it, so that no two interfaces look alike.
inline std::string interface_label(std::string_view interface) {
    std::string fragment = "interface=\"";
    if (!append_label_value(fragment, interface) || interface.contains("\uFFFD")) {
        fragment += '#';
        for (const char c : interface) {
            constexpr std::string_view kDigits = "0123456789abcdef";
            fragment += kDigits[static_cast<unsigned char>(c) / 16];
            fragment += kDigits[static_cast<unsigned char>(c) % 16];
        }
    }
    return fragment + '"';
}

}  // namespace plimsoll
