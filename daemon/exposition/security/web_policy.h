// SPDX-License-Identifier: Apache-2.0
// All that a web configuration asks for, ready for use: TLS, passwords, headers. Immutable but for what the
// passwords remember, which ends with it. The daemon loads it, the web server holds it.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/web_config.h"
#include "exposition/security/basic_auth.h"
#include "exposition/security/file_stamps.h"
#include "exposition/security/tls_context.h"

namespace plimsoll {

struct WebPolicy {
    std::shared_ptr<const TlsContext> tls;  ///< none: plain HTTP
    std::unique_ptr<BasicAuth> auth;        ///< none: everybody may come in
    std::string headers;                    ///< of every answer, each with its line end
    std::string summary;                    ///< what it is, for people
    std::vector<std::string> warnings;      ///< what is not wrong, but not good
};

using PolicyPtr = std::shared_ptr<const WebPolicy>;

struct LoadedPolicy {
    std::expected<PolicyPtr, ConfigErrors> policy;
    FileStamps files;  ///< all that it came from, or should have
};

/// Reads the web configuration and the files that it names. Without a path: a policy that asks for nothing.
LoadedPolicy load_policy(const std::string& path);

/// Notices that the files of a policy have changed and have come to rest.
class PolicyWatch {
  public:
    /// From now on it is about that file, as it was when `files` were read.
    void reset(const std::string& path, FileStamps files);

    /// To be called about once a second. The files as they are now, if they differ from what was read last
    /// and did not change between two calls: a certificate is replaced before its key, or after it.
    std::optional<LoadedPolicy> poll();

  private:
    std::string path_;
    FileStamps read_, seen_;
};

}  // namespace plimsoll
