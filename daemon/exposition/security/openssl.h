// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects as resources that own themselves, and its errors as text.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace plimsoll {

template <auto Free>
struct FreeBy {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

using UniqueBio = std::unique_ptr<BIO, FreeBy<BIO_free>>;
using UniqueCertificate = std::unique_ptr<X509, FreeBy<X509_free>>;
using UniqueKey = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using UniqueSslContext = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;

/// Why the library's last call failed on this thread, in its own words; forgets all that it remembers.
std::string openssl_error();

}  // namespace plimsoll
