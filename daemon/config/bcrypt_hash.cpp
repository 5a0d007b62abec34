// SPDX-License-Identifier: Apache-2.0
#include "config/bcrypt_hash.h"

#include <algorithm>
#include <array>

namespace plimsoll {
namespace {

constexpr std::size_t kPrefix = std::string_view("$2b$10$").size();
constexpr std::size_t kSaltAndDigest = 53;

bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

bool is_base64(char byte) {
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '.' ||
           byte == '/';
}

}  // namespace

std::string refuse_bcrypt_hash(std::string_view text) {
    constexpr std::array<std::string_view, 3> kKinds{"$2a$", "$2b$", "$2y$"};
    const bool kind = std::ranges::any_of(kKinds, [&](auto start) { return text.starts_with(start); });
    if (!kind || text.size() < kPrefix || !is_digit(text[4]) || !is_digit(text[5]) || text[6] != '$')
        return "no hash by bcrypt";
    const std::string_view rest = text.substr(kPrefix);
    if (rest.size() != kSaltAndDigest || !std::ranges::all_of(rest, is_base64))
        return "a damaged hash";
    const int cost = (text[4] - '0') * 10 + (text[5] - '0');
    if (cost < kLeastBcryptCost || cost > kMostBcryptCost)
        return "a hash of cost " + std::string(text.substr(4, 2));
    return "";
}

}  // namespace plimsoll
