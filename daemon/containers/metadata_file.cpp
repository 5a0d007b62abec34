// SPDX-License-Identifier: Apache-2.0
#include "containers/metadata_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxFile = 4u << 20;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxLabels = 256;

/// Brackets outside of strings, counted before the parser allocates anything for them.
bool nested_deeper(std::string_view text, int limit) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limit) {
                return true;
            }
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

}  // namespace

std::optional<std::string> read_bounded_file(const std::string& path) {
    // O_PATH has no side effects on devices and does not wait for a FIFO's writer; reopening through /proc
    // gives the very file whose type was looked at.
    const UniqueFd found(open(path.c_str(), O_PATH | O_CLOEXEC));
    struct stat info{};
    if (!found || fstat(found.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return std::nullopt;
    }
    const auto self = "/proc/self/fd/" + std::to_string(found.get());
    const UniqueFd file(open(self.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!file || info.st_size > static_cast<off_t>(kMaxFile)) {
        return std::nullopt;
    }
    std::string text;
    char buffer[16384];
    for (ssize_t got = 0; (got = read(file.get(), buffer, sizeof buffer)) != 0;) {
        if (got < 0 || text.size() + static_cast<std::size_t>(got) > kMaxFile) {
            return std::nullopt;
        }
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

std::uint64_t version_of(std::span<const std::string> paths, std::uint64_t before) {
    std::uint64_t version = before;
    for (const auto& path : paths) {
        struct stat info{};
        const bool there = stat(path.c_str(), &info) == 0;
        for (const auto part :
             there ? std::array<std::uint64_t, 4>{info.st_ino, static_cast<std::uint64_t>(info.st_size),
                                                  static_cast<std::uint64_t>(info.st_mtim.tv_sec),
                                                  static_cast<std::uint64_t>(info.st_mtim.tv_nsec)}
                   : std::array<std::uint64_t, 4>{}) {
            version = (version ^ part) * 0x100000001b3;  // FNV-1a's prime
        }
    }
    return version;
}

std::optional<nlohmann::json> parse_bounded_json(std::string_view text) {
    if (nested_deeper(text, kMaxDepth)) {
        return std::nullopt;
    }
    auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    return value.is_discarded() ? std::nullopt : std::optional(std::move(value));
}

std::optional<nlohmann::json> read_json_file(const std::string& path) {
    const auto text = read_bounded_file(path);
    return text ? parse_bounded_json(*text) : std::nullopt;
}

const nlohmann::json* member(const nlohmann::json* value, std::string_view key) {
    if (value == nullptr || !value->is_object()) {
        return nullptr;
    }
    const auto found = value->find(key);
    return found == value->end() ? nullptr : &*found;
}

std::string bounded_string(const nlohmann::json* value, std::size_t limit) {
    const auto* text = value != nullptr ? value->get_ptr<const std::string*>() : nullptr;
    return text != nullptr && text->size() <= limit ? *text : std::string();
}

std::string string_member(const nlohmann::json* value, std::string_view key, std::size_t limit) {
    return bounded_string(member(value, key), limit);
}

void add_labels(std::map<std::string, std::string>& labels, const nlohmann::json* value) {
    if (value == nullptr || !value->is_object()) {
        return;
    }
    for (const auto& [key, content] : value->items()) {
        const auto* text = content.get_ptr<const std::string*>();
        if (labels.size() < kMaxLabels && text && text->size() <= kMaxJsonString &&
            key.size() <= kMaxJsonString) {
            labels.insert_or_assign(key, *text);
        }
    }
}

}  // namespace plimsoll
