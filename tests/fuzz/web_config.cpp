// SPDX-License-Identifier: Apache-2.0
// The web server's own configuration: any text gives the same twice; a refusal is lines that a terminal can
// show, and never a secret; what is accepted can be sent as headers, and encrypts where it says so.
#include <algorithm>
#include <string>

#include "config/web_config.h"
#include "fuzz/input.h"
#include "fuzz/refusal.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

constexpr std::string_view kFile = "web.yaml";

bool is_printable(char c) {
    return c >= ' ' && c <= '~';
}

void check_accepted(const WebConfig& config) {
    for (const auto& [name, value] : config.headers) {
        require(
            !name.empty() && std::ranges::all_of(name, is_printable) && name.find(':') == std::string::npos,
            "a header has a name");
        require(!value.empty() && std::ranges::all_of(value, is_printable),
                "a header is printable, and not empty");
    }
    for (const auto& [name, hash] : config.users) {
        require(!name.empty() && name.find(':') == std::string::npos,
                "a user's name is one that a client can send");
        require(hash.starts_with("$2") && hash.size() == 60, "a password is a bcrypt hash");
    }
    if (const auto& tls = config.tls) {
        require(!tls->cert_file.empty() && !tls->key_file.empty(), "encryption has a certificate and a key");
        require(tls->min_version <= tls->max_version, "there is a version to speak");
        require(!verifies(tls->client_auth) || !tls->client_ca_file.empty(),
                "clients are verified by something");
    }
}

}  // namespace

void web_config(std::string_view input) {
    const auto first = parse_web_config(input, std::string(kFile));
    require(first == parse_web_config(input, std::string(kFile)), "the same text gives the same");
    if (!first) {
        return check_refusal(first.error(), kFile, input);
    }
    check_accepted(*first);
}

}  // namespace plimsoll::fuzz
