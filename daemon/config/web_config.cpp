// SPDX-License-Identifier: Apache-2.0
#include "config/web_config.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include "config/bcrypt_hash.h"
#include "config/text_guard.h"
#include "config/tls_names.h"
#include "config/unknown_key.h"
#include "config/values.h"

namespace plimsoll {
namespace {

const TextRule kHeaderText{[](std::string_view text) {
                               return std::ranges::all_of(
                                   text, [](char byte) { return byte >= ' ' && byte <= '~'; });
                           },
                           "printable ASCII"};
const TextRule kUserName{
    [](std::string_view text) { return !text.empty() && text.find(':') == std::string_view::npos; },
    "text that is not empty and has no colon"};

struct Header {
    std::string_view name;
    std::vector<std::string_view> values;  ///< empty: any
};
const Header kHeaders[]{{"Content-Security-Policy", {}},
                        {"X-Frame-Options", {"deny", "sameorigin"}},
                        {"X-Content-Type-Options", {"nosniff"}},
                        {"X-XSS-Protection", {}},
                        {"Strict-Transport-Security", {}}};

/// A key of a section that is read into a T.
template <typename T>
struct Key {
    std::string_view name;
    void (*read)(const Value& value, T& out);
    bool offered = true;  ///< false: known, but what it asks for is not there
};

template <typename T>
void read_section(const Value& value, std::span<const Key<T>> keys, T& out) {
    std::vector<std::string_view> words;
    for (const Key<T>& key : keys)
        if (key.offered)
            words.push_back(key.name);
    if (value.node.kind == Node::Kind::null)
        return;
    if (value.node.kind != Node::Kind::mapping)
        return value.refuse("not a mapping", "a mapping of " + joined(words));
    for (const Node& child : value.node.children) {
        const Value entry{child, (value.path.empty() ? "" : value.path + ".") + child.key, value.problems};
        const auto key = std::ranges::find(keys, std::string_view(child.key), &Key<T>::name);
        if (key == keys.end())
            refuse_unknown_key(child, value.path, words, value.problems);
        else
            key->read(entry, out);
    }
}

/// A value that is not said, because it may be a secret or very long.
void refuse_secretly(const Value& value, std::string_view what, std::string_view allowed) {
    value.problems.push_back(
        {value.node.at, value.path + ": " + std::string(what) + "; allowed: " + std::string(allowed)});
}

void read_file_name(const Value& value, std::string& out) {
    out = read_text(value, kAnyText).value_or("");
}

/// Go's names in the file, OpenSSL's in the result; those that OpenSSL has no use for are left out.
void read_tls_names(const Value& value, const TlsName* (*find)(std::string_view),
                    const std::vector<std::string_view>& words, std::vector<std::string>& out) {
    if (value.node.kind == Node::Kind::null)
        return;
    if (value.node.kind != Node::Kind::sequence)
        return value.refuse_it("a list of " + joined(words));
    for (const Value& item : read_items(value)) {
        const TlsName* name = item.node.kind == Node::Kind::scalar ? find(item.node.text) : nullptr;
        if (name == nullptr)
            item.refuse_it(joined(words));
        else if (!name->openssl.empty())
            out.emplace_back(name->openssl);
    }
    refuse_repeats(value);
}

void read_cipher_suites(const Value& value, TlsConfig& tls) {
    const std::size_t before = value.problems.size();
    read_tls_names(value, find_cipher_suite, cipher_suite_names(), tls.cipher_suites);
    if (value.problems.size() == before && value.node.kind == Node::Kind::sequence &&
        !value.node.children.empty() && tls.cipher_suites.empty())
        value.refuse("none of TLS 1.2 in the list, and those of TLS 1.3 cannot be chosen",
                     "suites of TLS 1.2, or min_version: TLS13 without this list");
}

void read_version(const Value& value, TlsVersion& out) {
    if (value.node.kind == Node::Kind::scalar && (value.node.text == "TLS10" || value.node.text == "TLS11"))
        value.refuse(value.node.text + " is not safe, and not offered", "TLS12, TLS13");
    else
        out = read_name(value, kTlsVersions).value_or(out);
}

void read_client_auth(const Value& value, TlsConfig& tls) {
    constexpr std::string_view kFormerName = "RequireClientCert";
    if (value.node.kind == Node::Kind::scalar && value.node.text == kFormerName)
        tls.client_auth = ClientAuth::require_any;
    else
        tls.client_auth = read_name(value, kClientAuths).value_or(tls.client_auth);
}

template <typename T>
void refuse_text_of_file(const Value& value, T&) {
    refuse_secretly(value, "certificates and keys are not read from this file",
                    value.path + "_file: and the name of one");
}

constexpr Key<TlsConfig> kTlsKeys[]{
    {"cert_file", [](const Value& value, TlsConfig& tls) { read_file_name(value, tls.cert_file); }},
    {"key_file", [](const Value& value, TlsConfig& tls) { read_file_name(value, tls.key_file); }},
    {"client_auth_type", read_client_auth},
    {"client_ca_file", [](const Value& value, TlsConfig& tls) { read_file_name(value, tls.client_ca_file); }},
    {"client_allowed_sans",
     [](const Value& value, TlsConfig& tls) { read_texts(value, kAnyText, false, tls.client_allowed_sans); }},
    {"min_version", [](const Value& value, TlsConfig& tls) { read_version(value, tls.min_version); }},
    {"max_version", [](const Value& value, TlsConfig& tls) { read_version(value, tls.max_version); }},
    {"cipher_suites", read_cipher_suites},
    {"curve_preferences",
     [](const Value& value, TlsConfig& tls) {
         read_tls_names(value, find_curve, curve_names(), tls.curve_preferences);
     }},
    {"prefer_server_cipher_suites",
     [](const Value& value, TlsConfig& tls) { read_bool(value, tls.prefer_server_cipher_suites); }},
    {"cert", refuse_text_of_file<TlsConfig>, false},
    {"key", refuse_text_of_file<TlsConfig>, false},
    {"client_ca", refuse_text_of_file<TlsConfig>, false},
};

/// What the values say together. No encryption where some was asked for would be the worst of all readings.
void check_tls(const Value& section, const TlsConfig& tls) {
    const auto missing = [&](std::string_view what) { section.refuse(what, "a section with both, or none"); };
    if (tls.cert_file.empty() && tls.key_file.empty())
        missing("cert_file and key_file are missing");
    else if (tls.cert_file.empty())
        missing("cert_file is missing");
    else if (tls.key_file.empty())
        missing("key_file is missing");
    if (tls.min_version > tls.max_version)
        section.refuse("min_version is above max_version", "TLS12 up to TLS13");
    if (verifies(tls.client_auth) && tls.client_ca_file.empty())
        section.refuse(std::string(to_string(tls.client_auth)) + " has nothing to verify against",
                       "client_ca_file with the authorities that sign the clients' certificates");
    if (tls.client_auth == ClientAuth::none && !tls.client_ca_file.empty())
        section.refuse("client_ca_file without a client_auth_type that asks for certificates",
                       "RequireAndVerifyClientCert, VerifyClientCertIfGiven");
    if (!tls.client_allowed_sans.empty() && !requires_certificate(tls.client_auth))
        section.refuse("client_allowed_sans with clients that need no certificate",
                       "client_auth_type RequireAndVerifyClientCert, RequireAnyClientCert");
}

void read_tls(const Value& value, WebConfig& config) {
    TlsConfig tls;
    const std::size_t before = value.problems.size();
    read_section<TlsConfig>(value, kTlsKeys, tls);
    if (value.node.kind != Node::Kind::mapping || value.node.children.empty())
        return;
    if (value.problems.size() == before)
        check_tls(value, tls);
    config.tls = std::move(tls);
}

void read_headers(const Value& value, WebConfig& config) {
    std::vector<std::string_view> names;
    std::ranges::transform(kHeaders, std::back_inserter(names), &Header::name);
    if (value.node.kind == Node::Kind::null)
        return;
    if (value.node.kind != Node::Kind::mapping)
        return value.refuse_it("a mapping of " + joined(names));
    for (const Node& child : value.node.children) {
        const Value entry{child, value.path + "." + child.key, value.problems};
        const auto* header = std::ranges::find(kHeaders, std::string_view(child.key), &Header::name);
        if (header == std::end(kHeaders)) {
            refuse_unknown_key(child, value.path, names, value.problems);
            continue;
        }
        if (child.kind == Node::Kind::null || (child.kind == Node::Kind::scalar && child.text.empty()))
            continue;  // the same as leaving it out
        const auto text = read_text(entry, kHeaderText);
        if (text && !header->values.empty() &&
            std::ranges::find(header->values, *text) == header->values.end())
            entry.refuse_it(joined(header->values));
        else if (text)
            config.headers.emplace_back(child.key, *text);
    }
}

void read_users(const Value& value, WebConfig& config) {
    constexpr std::string_view kHashes = "a mapping of names to hashes by bcrypt";
    if (value.node.kind == Node::Kind::null)
        return;
    if (value.node.kind != Node::Kind::mapping)
        return refuse_secretly(value, "not a mapping", kHashes);
    for (const Node& child : value.node.children) {
        const Value entry{child, value.path + "." + child.key, value.problems};
        if (!kUserName.allows(child.key))
            entry.refuse(plimsoll::quoted(child.key) + " is no user's name", kUserName.allowed);
        else if (const auto problem =
                     child.kind == Node::Kind::scalar ? refuse_bcrypt_hash(child.text) : "no hash by bcrypt";
                 !problem.empty())
            refuse_secretly(entry, problem, kBcryptHash);
        else
            config.users.emplace(child.key, child.text);
    }
}

constexpr Key<WebConfig> kHttpKeys[]{
    {"http2",
     [](const Value& value, WebConfig&) {
         bool wanted = false;  // HTTP/1.1 is what is served; clients that could do both agree on it
         read_bool(value, wanted);
     }},
    {"headers", read_headers},
};

constexpr Key<WebConfig> kKeys[]{
    {"tls_server_config", read_tls},
    {"http_server_config",
     [](const Value& value, WebConfig& config) { read_section<WebConfig>(value, kHttpKeys, config); }},
    {"basic_auth_users", read_users},
    {"rate_limit",
     [](const Value& value, WebConfig&) {
         value.problems.push_back({value.node.at,
                                   "rate_limit: not supported, the agent bounds by itself what clients can "
                                   "take; allowed: leave it out"});
     },
     false},
};

void resolve(std::string& file, const std::filesystem::path& directory) {
    if (!file.empty())
        file = (directory / file).string();  // an absolute one stays as it is
}

}  // namespace

std::string_view to_string(ClientAuth auth) {
    switch (auth) {
        case ClientAuth::none:
            return "NoClientCert";
        case ClientAuth::request:
            return "RequestClientCert";
        case ClientAuth::require_any:
            return "RequireAnyClientCert";
        case ClientAuth::verify_if_given:
            return "VerifyClientCertIfGiven";
        case ClientAuth::require_and_verify:
            return "RequireAndVerifyClientCert";
    }
    return "";
}

std::string_view to_string(TlsVersion version) {
    switch (version) {
        case TlsVersion::tls12:
            return "TLS12";
        case TlsVersion::tls13:
            return "TLS13";
    }
    return "";
}

std::expected<WebConfig, ConfigErrors> parse_web_config(std::string_view text, const std::string& file_name) {
    WebConfig config;
    auto errors = parse_text(text, file_name, [&](const Node& root, Problems& problems) {
        const Value whole{root, "", problems};
        if (root.kind == Node::Kind::scalar || root.kind == Node::Kind::sequence)
            problems.push_back({root.at,
                                "the file is not a mapping; allowed: tls_server_config, http_server_config, "
                                "basic_auth_users"});
        else
            read_section<WebConfig>(whole, kKeys, config);
    });
    if (!errors.empty())
        return std::unexpected(std::move(errors));
    if (config.tls) {
        const auto directory = std::filesystem::path(file_name).parent_path();
        resolve(config.tls->cert_file, directory);
        resolve(config.tls->key_file, directory);
        resolve(config.tls->client_ca_file, directory);
    }
    return config;
}

std::expected<WebConfig, ConfigErrors> load_web_config(const std::string& path) {
    const auto text = read_regular_file(path, kMaxConfigBytes);
    if (!text)
        return std::unexpected(ConfigErrors{text.error().in(path).message});
    return parse_web_config(*text, path);
}

}  // namespace plimsoll
