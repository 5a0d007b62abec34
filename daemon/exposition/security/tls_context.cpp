// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/tls_context.h"

#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <string_view>

#include "exposition/security/certificate.h"
#include "exposition/security/client_certificates.h"

namespace plimsoll {
namespace {

/// Of TLS 1.2: those with forward secrecy that encrypt and authenticate in one. All of TLS 1.3 are so.
constexpr std::string_view kDefaultCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

int number_of(TlsVersion version) {
    return version == TlsVersion::tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/// Clients that could do HTTP/2 are told that it will be HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
    static constexpr std::array<unsigned char, 9> kHttp1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* found = nullptr;
    const int result =
        SSL_select_next_proto(&found, size, kHttp1.data(), kHttp1.size(), offered, offered_size);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

TlsContext::TlsContext(const TlsConfig& config, UniqueSslContext context)
    : config_(config),
      context_(std::move(context)),
      ciphers_(config.cipher_suites.empty() ? kDefaultCiphers
                                            : fmt::format("{}", fmt::join(config.cipher_suites, ":"))),
      curves_(fmt::format("{}", fmt::join(config.curve_preferences, ":"))) {}

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsConfig& config) {
    UniqueSslContext context(SSL_CTX_new(TLS_server_method()));
    if (!context) {
        return fail("TLS: " + openssl_error());
    }
    std::shared_ptr<TlsContext> made(new TlsContext(config, std::move(context)));
    if (auto loaded = made->load(); !loaded) {
        return std::unexpected(loaded.error());
    }
    return made;
}

Result<void> TlsContext::load() {
    auto chain = read_certificates(config_.cert_file);
    if (!chain) {
        return std::unexpected(chain.error());
    }
    auto key = read_private_key(config_.key_file);
    if (!key) {
        return std::unexpected(key.error());
    }
    const X509& own = *chain->front();
    if (X509_check_private_key(&own, key->get()) != 1) {
        openssl_error();
        return fail(config_.key_file + ": not the key of the certificate in " + config_.cert_file);
    }
    if (SSL_CTX_use_certificate(context_.get(), chain->front().get()) != 1) {
        return fail(config_.cert_file + ": " + openssl_error());
    }
    for (std::size_t i = 1; i < chain->size(); ++i) {
        if (SSL_CTX_add1_chain_cert(context_.get(), chain->at(i).get()) != 1) {
            return fail(config_.cert_file + ": " + openssl_error());
        }
    }
    if (SSL_CTX_use_PrivateKey(context_.get(), key->get()) != 1) {
        return fail(config_.key_file + ": " + openssl_error());
    }
    if (SSL_CTX_set_cipher_list(context_.get(), ciphers_.c_str()) != 1) {
        return fail("cipher_suites: " + openssl_error());
    }
    SSL_CTX_set_alpn_select_cb(context_.get(), choose_protocol, nullptr);
    subject_ = subject_of(own);
    expiry_ = expiry_of(own);
    return check_client_certificates(*context_, config_);
}

/// A change of the context alone would leave the connection with the versions, ciphers and demands that it
/// was made with.
bool TlsContext::take_over(SSL& connection) const {
    SSL_set_verify(&connection, verify_mode(config_.client_auth), nullptr);
    if (config_.prefer_server_cipher_suites) {
        SSL_set_options(&connection, SSL_OP_CIPHER_SERVER_PREFERENCE);
    } else {
        SSL_clear_options(&connection, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    return SSL_set_SSL_CTX(&connection, context_.get()) != nullptr &&
           SSL_set_min_proto_version(&connection, number_of(config_.min_version)) == 1 &&
           SSL_set_max_proto_version(&connection, number_of(config_.max_version)) == 1 &&
           SSL_set_cipher_list(&connection, ciphers_.c_str()) == 1 &&
           (curves_.empty() || SSL_set1_groups_list(&connection, curves_.c_str()) == 1);
}

}  // namespace plimsoll
