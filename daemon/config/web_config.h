// SPDX-License-Identifier: Apache-2.0
// The file that web.config_file names: TLS, passwords and headers of the web server, in the format that
// Prometheus' exporters share. Only what the text says is judged here; what the files it names contain is the
// web server's to find out.
#pragma once

#include <array>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config_text.h"

namespace plimsoll {

/// What is asked of clients; the names are Go's, as in the file.
enum class ClientAuth { none, request, require_any, verify_if_given, require_and_verify };
enum class TlsVersion { tls12, tls13 };

std::string_view to_string(ClientAuth auth);
std::string_view to_string(TlsVersion version);

inline constexpr std::array kClientAuths{ClientAuth::none, ClientAuth::request, ClientAuth::require_any,
                                         ClientAuth::verify_if_given, ClientAuth::require_and_verify};
inline constexpr std::array kTlsVersions{TlsVersion::tls12, TlsVersion::tls13};

constexpr bool verifies(ClientAuth auth) {
    return auth == ClientAuth::verify_if_given || auth == ClientAuth::require_and_verify;
}
constexpr bool requires_certificate(ClientAuth auth) {
    return auth == ClientAuth::require_any || auth == ClientAuth::require_and_verify;
}

struct TlsConfig {
    std::string cert_file, key_file;
    ClientAuth client_auth = ClientAuth::none;
    std::string client_ca_file;                    ///< there when the certificates are verified
    std::vector<std::string> client_allowed_sans;  ///< empty: any
    TlsVersion min_version = TlsVersion::tls12;
    TlsVersion max_version = TlsVersion::tls13;
    std::vector<std::string> cipher_suites;  ///< of TLS 1.2, by OpenSSL's names; empty: the library's choice
    std::vector<std::string> curve_preferences;  ///< by OpenSSL's names; empty: the library's choice
    bool prefer_server_cipher_suites = true;

    bool operator==(const TlsConfig&) const = default;
};

struct WebConfig {
    std::optional<TlsConfig> tls;                              ///< none: plain HTTP
    std::vector<std::pair<std::string, std::string>> headers;  ///< names and values, none of them empty
    std::map<std::string, std::string, std::less<>> users;  ///< names and bcrypt hashes; empty: no passwords

    bool operator==(const WebConfig&) const = default;
};

/// Pure. File names in it are relative to the directory of `file_name`, as they are for the exporters. No
/// message quotes a hash, or what stands where one should.
std::expected<WebConfig, ConfigErrors> parse_web_config(std::string_view text, const std::string& file_name);

std::expected<WebConfig, ConfigErrors> load_web_config(const std::string& path);

}  // namespace plimsoll
