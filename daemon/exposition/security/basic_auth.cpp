// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/basic_auth.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "exposition/security/openssl.h"

namespace plimsoll {
namespace {

template <typename Digest>
bool same(const Digest& left, const Digest& right) {
    return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace

Result<std::unique_ptr<BasicAuth>> BasicAuth::create(Users users, Check check) {
    Digest key{};
    if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) {
        return fail("random numbers for the passwords: " + openssl_error());
    }
    return std::unique_ptr<BasicAuth>(new BasicAuth(std::move(users), std::move(check), key));
}

BasicAuth::Verdict BasicAuth::check(std::string_view authorization, const std::string& source,
                                    const std::atomic<bool>& stop) {
    const auto credentials = parse_basic(authorization);
    if (!credentials) {
        return Verdict::denied;
    }
    const Digest digest = digest_of(credentials->both());
    if (const auto known = remembered(digest)) {
        return *known;
    }
    if (!enter(source)) {
        return Verdict::busy;
    }
    struct Leave {
        BasicAuth& auth;
        const std::string& source;
        ~Leave() { auth.leave(source); }
    } const leave{*this, source};
    const std::lock_guard one_check(one_check_);
    if (const auto known = remembered(digest)) {  // by who was before us in the queue
        return *known;
    }
    if (stop) {
        return Verdict::busy;
    }
    const bool right = check_slowly(*credentials);
    remember(*credentials, digest, right);
    return right ? Verdict::granted : Verdict::denied;
}

BasicAuth::Digest BasicAuth::digest_of(std::string_view text) const {
    Digest digest{};
    unsigned int size = 0;
    if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) == nullptr ||
        size != digest.size()) {
        throw std::runtime_error("HMAC failed");  // answered 500, as lack of memory is
    }
    return digest;
}

/// Looks at all there is, so that the time says nothing about which it was.
std::optional<BasicAuth::Verdict> BasicAuth::remembered(const Digest& digest) const {
    const std::lock_guard lock(mutex_);
    bool right = false, wrong = false;
    for (const auto& [user, known] : right_) {
        right |= same(known, digest);
    }
    for (const Digest& known : wrong_) {
        wrong |= same(known, digest);
    }
    if (!right && !wrong) {
        return std::nullopt;
    }
    return right ? Verdict::granted : Verdict::denied;
}

bool BasicAuth::enter(const std::string& source) {
    const std::lock_guard lock(mutex_);
    const auto mine = waiting_.find(source);
    if (all_waiting_ >= kMostWaiting || (mine != waiting_.end() && mine->second >= kMostFromOne)) {
        return false;
    }
    ++waiting_[source];
    ++all_waiting_;
    return true;
}

void BasicAuth::leave(const std::string& source) {
    const std::lock_guard lock(mutex_);
    --all_waiting_;
    const auto mine = waiting_.find(source);
    if (--mine->second == 0) {
        waiting_.erase(mine);
    }
}

/// A name that nobody has is checked against the hash of somebody, always the same one, and refused whatever
/// comes out: it takes as long as a name that somebody has.
bool BasicAuth::check_slowly(const Credentials& credentials) const {
    const auto user = users_.find(credentials.user());
    const std::size_t any = digest_of(credentials.user())[0] % users_.size();
    const auto stand_in = std::next(users_.begin(), static_cast<std::ptrdiff_t>(any));
    const bool exists = user != users_.end();
    const bool right = check_(credentials, exists ? user->second : stand_in->second);
    return exists && right;
}

void BasicAuth::remember(const Credentials& credentials, const Digest& digest, bool right) {
    const std::lock_guard lock(mutex_);
    if (right) {
        right_.insert_or_assign(std::string(credentials.user()), digest);
    } else if (wrong_.size() < kMostFailures) {
        wrong_.push_back(digest);
    } else {
        wrong_[oldest_wrong_] = digest;
        oldest_wrong_ = (oldest_wrong_ + 1) % kMostFailures;
    }
}

}  // namespace plimsoll
