// SPDX-License-Identifier: Apache-2.0
#include "config/tls_names.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace plimsoll {
namespace {

/// Those that Go calls secure, and the four without forward secrecy that it called so until 1.22.
constexpr TlsName kCipherSuites[]{
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
};

constexpr TlsName kCurves[]{
    {"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}};

const TlsName* find(std::span<const TlsName> names, std::string_view go) {
    const auto found = std::ranges::find(names, go, &TlsName::go);
    return found == names.end() ? nullptr : &*found;
}

std::vector<std::string_view> all(std::span<const TlsName> names) {
    std::vector<std::string_view> words;
    std::ranges::transform(names, std::back_inserter(words), &TlsName::go);
    return words;
}

}  // namespace

const TlsName* find_cipher_suite(std::string_view go) {
    return find(kCipherSuites, go);
}
const TlsName* find_curve(std::string_view go) {
    return find(kCurves, go);
}
std::vector<std::string_view> cipher_suite_names() {
    return all(kCipherSuites);
}
std::vector<std::string_view> curve_names() {
    return all(kCurves);
}

}  // namespace plimsoll
