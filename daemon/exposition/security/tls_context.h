// SPDX-License-Identifier: Apache-2.0
// One state of the server's TLS: certificate, key, versions, what is asked of clients. Immutable; a change of
// the files makes another one, and handshakes that have begun end with the one they began with.
#pragma once

#include <ctime>
#include <memory>
#include <string>

#include "config/web_config.h"
#include "core/error.h"
#include "exposition/security/openssl.h"

namespace plimsoll {

class TlsContext {
  public:
    /// Reads the files. Errors: "/etc/plimsoll/tls.key: no private key in PEM form".
    static Result<std::shared_ptr<const TlsContext>> create(const TlsConfig& config);

    /// Gives a handshake that has just begun all of these settings; false if that was not possible.
    bool take_over(SSL& connection) const;

    const std::string& subject() const { return subject_; }
    std::time_t expiry() const { return expiry_; }

  private:
    explicit TlsContext(const TlsConfig& config, UniqueSslContext context);
    Result<void> load();

    const TlsConfig config_;
    const UniqueSslContext context_;
    std::string ciphers_, curves_;  ///< as OpenSSL's lists
    std::string subject_;
    std::time_t expiry_ = 0;
};

}  // namespace plimsoll
