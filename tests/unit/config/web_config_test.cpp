// SPDX-License-Identifier: Apache-2.0
#include "config/web_config.h"

#include <catch2/catch.hpp>

namespace plimsoll {
namespace {

constexpr std::string_view kHash = "$2y$10$abcdefghijklmnopqrstuuJ5cHqBrPxGJwD4KxlPUDDnPW3cXvPYS";

WebConfig parsed(std::string_view text) {
    const auto config = parse_web_config(text, "/etc/w/web.yml");
    for (const auto& line : config ? ConfigErrors{} : config.error())
        UNSCOPED_INFO(line);
    REQUIRE(config.has_value());
    return *config;
}

ConfigErrors errors_of(std::string_view text) {
    const auto config = parse_web_config(text, "w.yml");
    REQUIRE_FALSE(config.has_value());
    return config.error();
}

ConfigErrors errors_of_tls(const std::string& more) {
    return errors_of("tls_server_config: {cert_file: c, key_file: k, " + more + "}");
}

}  // namespace

TEST_CASE("an empty web configuration asks for nothing") {
    for (const auto* text : {"", "{}", "# nothing\n",
                             "tls_server_config:\nhttp_server_config: {}\n"
                             "basic_auth_users:\n"}) {
        CHECK(parsed(text) == WebConfig{});
    }
}

TEST_CASE("every key of a web configuration has its effect") {
    const WebConfig config = parsed(R"(
tls_server_config:
  cert_file: tls/c.pem
  key_file: /keys/k.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [a.example, 192.0.2.1]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_CBC_SHA]
  curve_preferences: [X25519, CurveP521]
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers:
    X-Frame-Options: sameorigin
    X-XSS-Protection: "1; mode=block"
    Content-Security-Policy: ""
basic_auth_users:
  alice: )" + std::string(kHash) + "\n  bob:   '" +
                                    std::string(kHash) + "'\n");
    REQUIRE(config.tls);
    CHECK(config.tls->cert_file == "/etc/w/tls/c.pem");
    CHECK(config.tls->key_file == "/keys/k.pem");
    CHECK(config.tls->client_auth == ClientAuth::require_and_verify);
    CHECK(config.tls->client_ca_file == "/etc/w/ca.pem");
    CHECK(config.tls->client_allowed_sans == std::vector<std::string>{"a.example", "192.0.2.1"});
    CHECK(config.tls->max_version == TlsVersion::tls12);
    CHECK(config.tls->cipher_suites == std::vector<std::string>{"ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"});
    CHECK(config.tls->curve_preferences == std::vector<std::string>{"X25519", "P-521"});
    CHECK_FALSE(config.tls->prefer_server_cipher_suites);
    CHECK(config.headers ==
          decltype(config.headers){{"X-Frame-Options", "sameorigin"}, {"X-XSS-Protection", "1; mode=block"}});
    CHECK(config.users == decltype(config.users){{"alice", std::string(kHash)}, {"bob", std::string(kHash)}});
}

TEST_CASE("a former name of a kind of client authentication is still known") {
    const auto config =
        parsed("tls_server_config: {cert_file: c, key_file: k, client_auth_type: RequireClientCert}");
    CHECK(config.tls->client_auth == ClientAuth::require_any);
}

TEST_CASE("keys that are none are refused, and those that are not supported by a sentence of their own") {
    CHECK(errors_of("tls_server_conf: {}\nhttp_server_config: {http3: true, headers: {Server: x}}\n") ==
          ConfigErrors{
              "w.yml:1:1: unknown key \"tls_server_conf\" (did you mean \"tls_server_config\"?); allowed: "
              "tls_server_config, http_server_config, basic_auth_users",
              "w.yml:2:22: unknown key \"http3\" in http_server_config (did you mean \"http2\"?); allowed: "
              "http2, headers",
              "w.yml:2:45: unknown key \"Server\" in http_server_config.headers; allowed: "
              "Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, "
              "Strict-Transport-Security"});
    CHECK(errors_of("rate_limit: {burst: 1}") ==
          ConfigErrors{"w.yml:1:13: rate_limit: not supported, the agent bounds by itself what clients can "
                       "take; allowed: leave it out"});
    CHECK(
        errors_of("tls_server_config: {key: SECRET}") ==
        ConfigErrors{"w.yml:1:26: tls_server_config.key: certificates and keys are not read from this file; "
                     "allowed: tls_server_config.key_file: and the name of one"});
}

TEST_CASE("TLS that is asked for by halves is no plain HTTP") {
    const std::string place = "w.yml:1:20: tls_server_config: ",
                      both = "; allowed: a section with both, or none";
    CHECK(errors_of("tls_server_config: {min_version: TLS13}") ==
          ConfigErrors{place + "cert_file and key_file are missing" + both});
    CHECK(errors_of("tls_server_config: {cert_file: c}") ==
          ConfigErrors{place + "key_file is missing" + both});
    CHECK(errors_of("tls_server_config: {key_file: k}") ==
          ConfigErrors{place + "cert_file is missing" + both});
    CHECK(errors_of_tls("min_version: TLS13, max_version: TLS12") ==
          ConfigErrors{place + "min_version is above max_version; allowed: TLS12 up to TLS13"});
    CHECK(errors_of_tls("client_auth_type: VerifyClientCertIfGiven") ==
          ConfigErrors{place +
                       "VerifyClientCertIfGiven has nothing to verify against; allowed: client_ca_file "
                       "with the authorities that sign the clients' certificates"});
    CHECK(errors_of_tls("client_ca_file: a") ==
          ConfigErrors{place +
                       "client_ca_file without a client_auth_type that asks for certificates; allowed: "
                       "RequireAndVerifyClientCert, VerifyClientCertIfGiven"});
    CHECK(errors_of_tls("client_allowed_sans: [a], client_auth_type: RequestClientCert") ==
          ConfigErrors{place + "client_allowed_sans with clients that need no certificate; allowed: "
                               "client_auth_type RequireAndVerifyClientCert, RequireAnyClientCert"});
}

TEST_CASE("values of TLS that do not exist are named, with those that do") {
    const std::string at = "w.yml:1:";
    CHECK(errors_of_tls("min_version: TLS11") ==
          ConfigErrors{at + "61: tls_server_config.min_version: TLS11 is not safe, and not offered; allowed: "
                            "TLS12, TLS13"});
    CHECK(errors_of_tls("max_version: 1.3") ==
          ConfigErrors{at + "61: tls_server_config.max_version: \"1.3\"; allowed: TLS12, TLS13"});
    CHECK(errors_of_tls("client_auth_type: yes") ==
          ConfigErrors{at + "66: tls_server_config.client_auth_type: \"yes\"; allowed: NoClientCert, "
                            "RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, "
                            "RequireAndVerifyClientCert"});
    CHECK(errors_of_tls("curve_preferences: [X448]") ==
          ConfigErrors{at +
                       "68: tls_server_config.curve_preferences[0]: \"X448\"; allowed: CurveP256, CurveP384, "
                       "CurveP521, X25519"});
    CHECK_THAT(errors_of_tls("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]").at(0),
               Catch::StartsWith(at + "64: tls_server_config.cipher_suites[0]: \"TLS_RSA_WITH_RC4_128_SHA\"; "
                                      "allowed: TLS_AES_128_GCM_SHA256, "));
    CHECK(errors_of_tls("cipher_suites: [TLS_AES_128_GCM_SHA256]") ==
          ConfigErrors{at +
                       "63: tls_server_config.cipher_suites: none of TLS 1.2 in the list, and those of TLS "
                       "1.3 cannot be chosen; allowed: suites of TLS 1.2, or min_version: TLS13 without "
                       "this list"});
}

TEST_CASE("headers have the values that browsers know, and no others") {
    CHECK(errors_of("http_server_config: {http2: maybe, headers: {X-Frame-Options: allow, "
                    "X-Content-Type-Options: sniff}}") ==
          ConfigErrors{
              "w.yml:1:29: http_server_config.http2: \"maybe\"; allowed: true, false",
              "w.yml:1:63: http_server_config.headers.X-Frame-Options: \"allow\"; allowed: deny, sameorigin",
              "w.yml:1:94: http_server_config.headers.X-Content-Type-Options: \"sniff\"; allowed: nosniff"});
    CHECK(errors_of("http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nSet-Cookie: b\"}}").size() ==
          1);
    CHECK(errors_of("http_server_config: {headers: {X-XSS-Protection: é}}").size() == 1);
}

TEST_CASE("no message shows what stands in the place of a hash") {
    const std::string hash(kHash), allowed =
                                       "; allowed: $2a$, $2b$ or $2y$, a cost from 04 to 16, $ and 53 "
                                       "characters, as `htpasswd -nB NAME` prints";
    const auto error = [&](const std::string& text) {
        return errors_of("basic_auth_users: {a: '" + text + "'}");
    };
    const std::string at = "w.yml:1:23: basic_auth_users.a: ";
    CHECK(error("secret") == ConfigErrors{at + "no hash by bcrypt" + allowed});
    CHECK(error("$6$salt$secret") == ConfigErrors{at + "no hash by bcrypt" + allowed});
    CHECK(error("") == ConfigErrors{at + "no hash by bcrypt" + allowed});
    CHECK(error("$2x" + hash.substr(3)) == ConfigErrors{at + "no hash by bcrypt" + allowed});
    CHECK(error(hash + "x") == ConfigErrors{at + "a damaged hash" + allowed});
    CHECK(error(hash.substr(0, 59)) == ConfigErrors{at + "a damaged hash" + allowed});
    CHECK(error("$2y$17" + hash.substr(6)) == ConfigErrors{at + "a hash of cost 17" + allowed});
    CHECK(error("$2y$03" + hash.substr(6)) == ConfigErrors{at + "a hash of cost 03" + allowed});
    for (const auto* text : {"basic_auth_users: secret", "basic_auth_users: [secret]",
                             "basic_auth_users: {a: [secret]}", "basic_auth_users: {a: {b: secret}}"}) {
        for (const auto& line : errors_of(text)) {
            CHECK_THAT(line, !Catch::Contains("secret"));
        }
    }
    CHECK(
        errors_of("basic_auth_users: {'a:b': '" + hash + "'}") ==
        ConfigErrors{"w.yml:1:27: basic_auth_users.a:b: \"a:b\" is no user's name; allowed: text that is not "
                     "empty and has no colon"});
}

TEST_CASE("a web configuration that is no mapping is refused") {
    CHECK(errors_of("[tls]") == ConfigErrors{"w.yml:1:1: the file is not a mapping; allowed: "
                                             "tls_server_config, http_server_config, basic_auth_users"});
    CHECK(errors_of("tls_server_config: yes").size() == 1);
    CHECK(load_web_config("/").error() == ConfigErrors{"/: is a directory; allowed: a regular file"});
}

}  // namespace plimsoll
