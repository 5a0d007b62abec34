// SPDX-License-Identifier: Apache-2.0
// Which clients' certificates are good enough: signed by the authorities, if they are to be verified, and
// made out to one of the allowed names, if there are such.
#pragma once

#include "config/web_config.h"
#include "core/error.h"
#include "exposition/security/openssl.h"

namespace plimsoll {

/// How clients are asked: a mode for SSL_set_verify().
int verify_mode(ClientAuth auth);

/// Lets the context judge certificates as the configuration says.
Result<void> check_client_certificates(SSL_CTX& context, const TlsConfig& config);

/// Whether one of the certificate's alternative names (DNS, e-mail, URI, IP) is exactly one of `allowed`.
bool has_allowed_name(const X509& certificate, const std::vector<std::string>& allowed);

}  // namespace plimsoll
