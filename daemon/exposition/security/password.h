// SPDX-License-Identifier: Apache-2.0
// Names and passwords as HTTP's basic authentication carries them, and their check against a hash. Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plimsoll {

/// A name and a password, not left behind in memory.
class Credentials {
  public:
    Credentials(std::string text, std::size_t colon) : text_(std::move(text)), colon_(colon) {}
    ~Credentials();
    Credentials(Credentials&&) = default;
    Credentials(const Credentials&) = delete;
    Credentials& operator=(const Credentials&) = delete;
    Credentials& operator=(Credentials&&) = delete;

    std::string_view user() const { return std::string_view(text_).substr(0, colon_); }
    const char* password() const { return text_.c_str() + colon_ + 1; }
    /// "user:password", which no other pair has: a name has no colon.
    std::string_view both() const { return text_; }

  private:
    std::string text_;
    std::size_t colon_;
};

/// From the value of an Authorization header; nothing when it has none in the form of basic authentication.
std::optional<Credentials> parse_basic(std::string_view authorization);

/// Takes as long as the cost of `hash` says, whatever the answer.
bool matches(const Credentials& credentials, const std::string& hash);

}  // namespace plimsoll
