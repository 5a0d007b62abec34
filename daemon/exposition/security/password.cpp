// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "config/bcrypt_hash.h"

namespace plimsoll {
namespace {

/// What libcrypt works in, which is full of what it worked on.
struct Workplace {
    Workplace() = default;
    ~Workplace() { OPENSSL_cleanse(&data, sizeof data); }
    Workplace(const Workplace&) = delete;
    Workplace& operator=(const Workplace&) = delete;

    crypt_data data{};
};

std::optional<std::string> decode_base64(std::string_view text) {
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    // OpenSSL takes any other '=' for a digit, too.
    if (text.empty() || text.size() % 4 != 0 || text.substr(0, text.size() - padding).contains('=')) {
        return std::nullopt;
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (size != static_cast<int>(bytes.size())) {  // white space, or no base64 at all
        return std::nullopt;
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

}  // namespace

Credentials::~Credentials() {
    OPENSSL_cleanse(text_.data(), text_.size());
}

std::optional<Credentials> parse_basic(std::string_view authorization) {
    constexpr std::string_view kScheme = "basic ";
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (!std::ranges::equal(authorization.substr(0, kScheme.size()), kScheme, {}, lower)) {
        return std::nullopt;
    }
    authorization.remove_prefix(kScheme.size());
    authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
    auto text = decode_base64(authorization);
    const std::size_t colon = text ? text->find(':') : std::string::npos;
    if (colon == std::string::npos || text->find('\0') != std::string::npos) {
        return std::nullopt;
    }
    return Credentials(std::move(*text), colon);
}

bool matches(const Credentials& credentials, const std::string& hash) {
    const auto workplace = std::make_unique<Workplace>();
    const char* computed = crypt_r(credentials.password(), hash.c_str(), &workplace->data);
    if (computed == nullptr || std::string_view(computed).size() != hash.size()) {
        return false;
    }
    const std::size_t digest = hash.size() - kBcryptDigest;
    return CRYPTO_memcmp(computed + digest, hash.c_str() + digest, kBcryptDigest) == 0;
}

}  // namespace plimsoll
