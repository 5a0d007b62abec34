// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/web_policy.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <ctime>

#include "exposition/security/certificate.h"

namespace plimsoll {
namespace {

/// Every answer has this one, configured or not.
constexpr std::string_view kAlwaysSent = "X-Content-Type-Options";

std::string render(const std::vector<std::pair<std::string, std::string>>& headers) {
    std::string lines;
    for (const auto& [name, value] : headers) {
        if (name != kAlwaysSent) {
            lines += name + ": " + value + "\r\n";
        }
    }
    return lines;
}

std::string certificates_of_clients(ClientAuth auth) {
    switch (auth) {
        case ClientAuth::none:
            return "";
        case ClientAuth::request:
            return ", clients are asked for certificates, which are not verified";
        case ClientAuth::require_any:
            return ", clients need a certificate, which is not verified";
        case ClientAuth::verify_if_given:
            return ", clients' certificates are verified if they have one";
        case ClientAuth::require_and_verify:
            return ", clients need a certificate, which is verified";
    }
    return "";
}

std::string summarize(const WebConfig& config, const WebPolicy& policy) {
    std::string text = "plain HTTP";
    if (policy.tls) {
        const bool one = config.tls->min_version == config.tls->max_version;
        text = fmt::format("TLS {}{}, certificate of {} until {}",
                           config.tls->min_version == TlsVersion::tls12 ? "1.2" : "1.3",
                           one ? "" : " and 1.3", policy.tls->subject(), utc_text(policy.tls->expiry())) +
               certificates_of_clients(config.tls->client_auth);
    }
    text += policy.auth ? fmt::format("; passwords of {} {}", policy.auth->users(),
                                      policy.auth->users() == 1 ? "user" : "users")
                        : "; no passwords";
    return text;
}

bool everybody_may_read(const std::string& file) {
    struct stat status{};
    return stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

std::vector<std::string> warnings_of(const std::string& path, const WebConfig& config,
                                     const WebPolicy& policy) {
    std::vector<std::string> warnings;
    if (!config.users.empty() && everybody_may_read(path)) {
        warnings.push_back(path + ": everybody on this host may read the hashes of the passwords");
    }
    if (config.tls && everybody_may_read(config.tls->key_file)) {
        warnings.push_back(config.tls->key_file + ": everybody on this host may read the private key");
    }
    if (policy.auth && !policy.tls) {
        warnings.push_back(path + ": passwords without TLS can be read on their way");
    }
    if (policy.tls && policy.tls->expiry() < std::time(nullptr)) {
        warnings.push_back(config.tls->cert_file + ": the certificate has expired");
    }
    return warnings;
}

std::expected<PolicyPtr, ConfigErrors> make_policy(const std::string& path, const WebConfig& config) {
    auto policy = std::make_shared<WebPolicy>();
    if (config.tls) {
        auto tls = TlsContext::create(*config.tls);
        if (!tls) {
            return std::unexpected(ConfigErrors{tls.error().in(path).message});
        }
        policy->tls = std::move(*tls);
    }
    if (!config.users.empty()) {
        auto auth = BasicAuth::create(config.users);
        if (!auth) {
            return std::unexpected(ConfigErrors{auth.error().in(path).message});
        }
        policy->auth = std::move(*auth);
    }
    policy->headers = render(config.headers);
    policy->summary = summarize(config, *policy);
    policy->warnings = warnings_of(path, config, *policy);
    return policy;
}

}  // namespace

LoadedPolicy load_policy(const std::string& path) {
    if (path.empty()) {
        return {std::make_shared<const WebPolicy>(), {}};
    }
    LoadedPolicy loaded;
    loaded.files.add(path);
    const auto config = load_web_config(path);
    if (!config) {
        loaded.policy = std::unexpected(config.error());
        return loaded;
    }
    if (config->tls) {
        for (const auto* file :
             {&config->tls->cert_file, &config->tls->key_file, &config->tls->client_ca_file}) {
            if (!file->empty()) {
                loaded.files.add(*file);
            }
        }
    }
    loaded.policy = make_policy(path, *config);
    return loaded;
}

void PolicyWatch::reset(const std::string& path, FileStamps files) {
    path_ = path;
    read_ = std::move(files);
    seen_ = read_;
}

std::optional<LoadedPolicy> PolicyWatch::poll() {
    FileStamps now = read_.now();
    const bool rests = now == seen_;
    seen_ = std::move(now);
    if (seen_ == read_ || !rests) {
        return std::nullopt;
    }
    auto loaded = load_policy(path_);
    reset(path_, loaded.files);
    return loaded;
}

}  // namespace plimsoll
