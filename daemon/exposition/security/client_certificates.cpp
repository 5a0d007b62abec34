// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/client_certificates.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>

#include "exposition/security/certificate.h"

namespace plimsoll {
namespace {

struct Demand {
    bool verified;
    std::vector<std::string> allowed_names;
};

using UniqueNames = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

void free_demand(void*, void* demand, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<Demand*>(demand);
}

/// The library's number for what a context carries of ours. It is given once for the whole process, and the
/// context frees what it carries: connections outlive whoever made it.
int demand_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_demand);
    return index;
}

std::string text_of(const ASN1_STRING& string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&string)),
            static_cast<std::size_t>(ASN1_STRING_length(&string))};
}

/// The bytes of an address as text, empty for what is none.
std::string address_text(const std::string& bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
    const bool known = bytes.size() == sizeof(in_addr) || bytes.size() == sizeof(in6_addr);
    return known && inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr ? text.data() : "";
}

/// Addresses can be written in several ways; names cannot.
std::string one_way(const std::string& allowed) {
    std::array<char, sizeof(in6_addr)> bytes{};
    if (inet_pton(AF_INET, allowed.c_str(), bytes.data()) == 1) {
        return address_text({bytes.data(), sizeof(in_addr)});
    }
    return inet_pton(AF_INET6, allowed.c_str(), bytes.data()) == 1
               ? address_text({bytes.data(), sizeof(in6_addr)})
               : allowed;
}

std::string text_of(const GENERAL_NAME& name) {
    switch (name.type) {
        case GEN_DNS:
            return text_of(*name.d.dNSName);
        case GEN_EMAIL:
            return text_of(*name.d.rfc822Name);
        case GEN_URI:
            return text_of(*name.d.uniformResourceIdentifier);
        case GEN_IPADD:
            return address_text(text_of(*name.d.iPAddress));
        default:
            return "";
    }
}

/// Called in place of the library's own verification. No exception may leave it.
int verify(X509_STORE_CTX* chain, void* argument) noexcept {
    const auto& demand = *static_cast<const Demand*>(argument);
    if (demand.verified && X509_verify_cert(chain) != 1) {
        return 0;
    }
    try {
        const X509* client = X509_STORE_CTX_get0_cert(chain);
        if (demand.allowed_names.empty() ||
            (client != nullptr && has_allowed_name(*client, demand.allowed_names))) {
            X509_STORE_CTX_set_error(chain, X509_V_OK);
            return 1;
        }
    } catch (const std::bad_alloc&) {  // refused
    }
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

Result<void> trust(SSL_CTX& context, const std::string& file) {
    auto authorities = read_certificates(file);
    if (!authorities) {
        return std::unexpected(authorities.error());
    }
    X509_STORE* store = SSL_CTX_get_cert_store(&context);
    for (const auto& authority : *authorities) {
        if (X509_STORE_add_cert(store, authority.get()) != 1 ||
            SSL_CTX_add_client_CA(&context, authority.get()) != 1) {
            return fail(file + ": " + openssl_error());
        }
    }
    // Who is in the file is trusted, whether somebody else has signed it or not.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

}  // namespace

int verify_mode(ClientAuth auth) {
    if (auth == ClientAuth::none) {
        return SSL_VERIFY_NONE;
    }
    return SSL_VERIFY_PEER | (requires_certificate(auth) ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
}

bool has_allowed_name(const X509& certificate, const std::vector<std::string>& allowed) {
    const UniqueNames names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const std::string name = text_of(*sk_GENERAL_NAME_value(names.get(), i));
        if (!name.empty() && std::ranges::find(allowed, name, one_way) != allowed.end()) {
            return true;
        }
    }
    return false;
}

Result<void> check_client_certificates(SSL_CTX& context, const TlsConfig& config) {
    auto demand = std::make_unique<Demand>(verifies(config.client_auth), config.client_allowed_sans);
    if (SSL_CTX_set_ex_data(&context, demand_index(), demand.get()) != 1) {
        return fail(openssl_error());
    }
    SSL_CTX_set_cert_verify_callback(&context, verify, demand.release());  // the context's from here on
    return config.client_ca_file.empty() ? Result<void>() : trust(context, config.client_ca_file);
}

}  // namespace plimsoll
