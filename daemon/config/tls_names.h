// SPDX-License-Identifier: Apache-2.0
// Go's names of cipher suites and curves, as web configurations have them, and OpenSSL's. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace plimsoll {

struct TlsName {
    std::string_view go, openssl;
};

/// OpenSSL's name is empty for the suites of TLS 1.3, which nobody chooses.
const TlsName* find_cipher_suite(std::string_view go);
const TlsName* find_curve(std::string_view go);

std::vector<std::string_view> cipher_suite_names();
std::vector<std::string_view> curve_names();

}  // namespace plimsoll
