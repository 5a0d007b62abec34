// SPDX-License-Identifier: Apache-2.0
// A library of its own, with the names libssl.so and libcrypto.so. Debian's civetweb opens OpenSSL by these
// names, which only the package for developers has, and wants a function by its name before OpenSSL 3. This
// library has both: it is linked to the libssl.so.3 and libcrypto.so.3 that the program uses anyway, where
// all other functions are found.
#include <openssl/ssl.h>

#undef SSL_get_peer_certificate  // a macro for the new name

extern "C" X509* SSL_get_peer_certificate(const SSL* connection);
extern "C" X509* SSL_get_peer_certificate(const SSL* connection) {
    return SSL_get1_peer_certificate(connection);
}
