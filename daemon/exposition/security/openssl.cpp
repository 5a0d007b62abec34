// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/openssl.h"

#include <openssl/err.h>

namespace plimsoll {

std::string openssl_error() {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason != nullptr ? reason : "unknown error";
}

}  // namespace plimsoll
