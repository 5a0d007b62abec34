// SPDX-License-Identifier: Apache-2.0
// Errors are values. A message reads from the outside in: "probe ledger: attach on_sched_switch: Operation
// not permitted". Functions either return an error or log it, never both.
#pragma once

#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace plimsoll {

struct Error {
    std::string message;

    /// The same error seen from one step further out: "context: message".
    [[nodiscard]] Error in(std::string_view context) const { return {std::string(context) + ": " + message}; }
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
    return std::unexpected(Error{std::move(message)});
}

/// "what: strerror(error_number)"; error_number is positive or negative errno.
inline std::unexpected<Error> fail_errno(std::string_view what, int error_number) {
    const int positive = error_number < 0 ? -error_number : error_number;
    return fail(std::string(what) + ": " + std::string(strerrordesc_np(positive)));
}

/// Runs steps that return Result<void> one after another up to the first error, and returns that.
template <typename... Steps>
Result<void> in_order(Steps&&... steps) {
    Result<void> done;
    static_cast<void>(((done = steps(), done.has_value()) && ...));
    return done;
}

}  // namespace plimsoll
