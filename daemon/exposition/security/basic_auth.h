// SPDX-License-Identifier: Apache-2.0
// Who may come in by name and password. A check by bcrypt is made to be slow, so it is made once: what was
// right is remembered, by a digest that is worthless outside this object. Wrong ones cannot hold up who was
// right before: there is one check at a time, few wait for theirs, and the rest is sent away at once. Called
// by many HTTP threads.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "exposition/security/password.h"

namespace plimsoll {

class BasicAuth {
  public:
    enum class Verdict {
        granted,
        denied,
        busy,  ///< too many are being checked; to be tried again
    };
    using Users = std::map<std::string, std::string, std::less<>>;  ///< names and hashes, at least one
    using Check = std::function<bool(const Credentials& credentials, const std::string& hash)>;

    static constexpr std::size_t kMostWaiting = 8;     ///< checks at once, the one that is made included
    static constexpr std::size_t kMostFromOne = 2;     ///< of these from the same address
    static constexpr std::size_t kMostFailures = 256;  ///< remembered, so that a wrong setting costs little

    /// `check` is matches() but in tests.
    static Result<std::unique_ptr<BasicAuth>> create(Users users, Check check = matches);

    /// `authorization`: the header's value, empty without one. `source`: the client's address. Gives up once
    /// `stop` is set.
    Verdict check(std::string_view authorization, const std::string& source, const std::atomic<bool>& stop);

    std::size_t users() const { return users_.size(); }

  private:
    using Digest = std::array<unsigned char, 32>;

    BasicAuth(Users users, Check check, const Digest& key)
        : users_(std::move(users)), check_(std::move(check)), key_(key) {}
    Digest digest_of(std::string_view text) const;
    std::optional<Verdict> remembered(const Digest& digest) const;
    bool enter(const std::string& source);
    void leave(const std::string& source);
    bool check_slowly(const Credentials& credentials) const;
    void remember(const Credentials& credentials, const Digest& digest, bool right);

    const Users users_;
    const Check check_;
    const Digest key_;
    std::mutex one_check_;  ///< taken before the other one
    mutable std::mutex mutex_;
    std::map<std::string, Digest, std::less<>> right_;  ///< by name: the last right one
    std::vector<Digest> wrong_;
    std::size_t oldest_wrong_ = 0;
    std::map<std::string, std::size_t> waiting_;  ///< by address
    std::size_t all_waiting_ = 0;
};

}  // namespace plimsoll
