// SPDX-License-Identifier: Apache-2.0
// Certificates and keys from files in PEM form. Errors name the file and never show what is in it.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "core/error.h"
#include "exposition/security/openssl.h"

namespace plimsoll {

/// All certificates of the file, at least one, in its order.
Result<std::vector<UniqueCertificate>> read_certificates(const std::string& file);

/// The first private key of the file, which must not need a passphrase.
Result<UniqueKey> read_private_key(const std::string& file);

/// "CN=agent.example.org", as RFC 2253 writes names.
std::string subject_of(const X509& certificate);

/// When it ends, in Unix time.
std::time_t expiry_of(const X509& certificate);

/// "2027-01-31 12:00:00 UTC"
std::string utc_text(std::time_t time);

}  // namespace plimsoll
