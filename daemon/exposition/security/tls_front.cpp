// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/tls_front.h"

#include <openssl/err.h>

namespace plimsoll {

Result<std::unique_ptr<TlsFront>> TlsFront::create(Current current, OnProgress on_progress) {
    UniqueSslContext context(SSL_CTX_new(TLS_server_method()));
    if (!context) {
        return fail("TLS: " + openssl_error());
    }
    SSL_CTX* settings = context.get();
    SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION);
    // Who resumes would be let in by what was asked of clients when they first came.
    SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(settings, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(settings, 0);
    // Pages are written as the client reads them, not as one piece with one deadline.
    SSL_CTX_set_mode(settings, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                   SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_info_callback(settings, on_progress);
    std::unique_ptr<TlsFront> front(new TlsFront(std::move(current), std::move(context)));
    SSL_CTX_set_client_hello_cb(settings, on_hello, front.get());
    return front;
}

int TlsFront::on_hello(SSL* connection, int* alert, void* front) noexcept {
    try {
        const auto now = static_cast<const TlsFront*>(front)->current_();
        if (now && now->take_over(*connection)) {
            return SSL_CLIENT_HELLO_SUCCESS;
        }
    } catch (...) {  // no memory for one handshake: it fails
        ERR_clear_error();
    }
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

}  // namespace plimsoll
