// SPDX-License-Identifier: Apache-2.0
// Who comes in by name and password. An input is the pair that is known, as "name:password", and after the
// line's end the value of an Authorization header. Let in is who knows the pair, by a plain reading of RFC
// 7617 and RFC 4648, and nobody else; asked again, the answer is the same.
#include <strings.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>

#include "exposition/security/basic_auth.h"
#include "fuzz/input.h"
#include "fuzz/targets.h"

namespace plimsoll::fuzz {
namespace {

std::optional<std::string> decoded(std::string_view text) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto digits = std::min(text.find('='), text.size());
    const auto padding = text.substr(digits);
    if (text.size() % 4 != 0 || (padding != "" && padding != "=" && padding != "==")) {
        return std::nullopt;
    }
    std::string bytes;
    unsigned int bits = 0, held = 0;
    for (const char c : text.substr(0, digits)) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6 | static_cast<unsigned int>(digit)) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes.push_back(static_cast<char>(bits >> held & 0xff));
        }
    }
    return bytes;
}

std::optional<std::string> pair_in(std::string_view value) {
    constexpr std::string_view kScheme = "basic ";
    if (value.size() < kScheme.size() || strncasecmp(value.data(), kScheme.data(), kScheme.size()) != 0) {
        return std::nullopt;
    }
    const auto begin = value.find_first_not_of(' ', kScheme.size());
    const auto pair = begin == std::string_view::npos ? std::nullopt : decoded(value.substr(begin));
    const bool whole = pair && pair->find(':') != std::string::npos && pair->find('\0') == std::string::npos;
    return whole ? pair : std::nullopt;
}

}  // namespace

void authorization(std::string_view input) {
    Input fields(input);
    const std::string known(fields.field());
    const auto value = fields.rest();
    const auto pair = pair_in(value);
    const auto read = parse_basic(value);
    require(read.has_value() == pair.has_value(), "what is a pair is read as one");
    if (read) {
        require(read->both() == *pair, "a pair is read as it was sent");
        require(std::string(read->user()) + ":" + read->password() == *pair, "a pair has two parts");
    }
    const auto colon = known.find(':');
    if (colon == std::string::npos || known.find('\0') != std::string::npos) {
        return;  // nobody's name and password
    }
    const auto auth = BasicAuth::create(
        {{known.substr(0, colon), known.substr(colon + 1)}},
        [](const Credentials& who, const std::string& password) { return who.password() == password; });
    require(auth.has_value(), "there are random numbers");
    const auto expected = pair == known ? BasicAuth::Verdict::granted : BasicAuth::Verdict::denied;
    for (int time = 0; time < 2; ++time) {
        require((*auth)->check(value, "192.0.2.1", std::atomic<bool>{false}) == expected,
                "who knows name and password comes in, and nobody else");
    }
}

}  // namespace plimsoll::fuzz
