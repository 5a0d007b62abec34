// SPDX-License-Identifier: Apache-2.0
// The context that the web server's library makes all of its connections with. It has no certificate of its
// own: when a client has said hello, the connection is given the TlsContext that is valid by then, so that
// certificates change without a restart.
#pragma once

#include <functional>
#include <memory>

#include "core/error.h"
#include "exposition/security/tls_context.h"

namespace plimsoll {

class TlsFront {
  public:
    using Current = std::function<std::shared_ptr<const TlsContext>()>;
    /// For OpenSSL: (connection, what happens, more about it).
    using OnProgress = void (*)(const SSL*, int, int);

    /// `current` is called from many threads, once for each handshake; `on_progress` must not throw.
    static Result<std::unique_ptr<TlsFront>> create(Current current, OnProgress on_progress);

    SSL_CTX* context() const { return context_.get(); }

  private:
    TlsFront(Current current, UniqueSslContext context)
        : current_(std::move(current)), context_(std::move(context)) {}
    static int on_hello(SSL* connection, int* alert, void* front) noexcept;

    const Current current_;
    const UniqueSslContext context_;
};

}  // namespace plimsoll
