// SPDX-License-Identifier: Apache-2.0
#include "exposition/labels.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <set>

#include "exposition/utf8.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMaxLabelName = 128;
constexpr std::size_t kHashSuffix = 17;  // '#' and 16 hexadecimal digits

std::string_view escaped(std::string_view character) {
    switch (character[0]) {
        case '\\':
            return "\\\\";
        case '"':
            return "\\\"";
        case '\n':
            return "\\n";
        default:
            return character;
    }
}

bool append_bounded(std::string& out, std::string_view raw, std::size_t limit) {
    const std::size_t start = out.size();
    bool faithful = true;
    while (!raw.empty()) {
        const Utf8Character character = take_character(raw);
        const std::string_view piece = escaped(character.text);
        if (out.size() - start + piece.size() > limit) {
            return false;
        }
        faithful = faithful && character.faithful;
        out += piece;
    }
    return faithful;
}

std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
    return hash;
}

void append_name(std::string& out, std::string_view name) {
    out += out.empty() ? "" : ",";
    out += name;
    out += "=\"";
}

void append_label(std::string& out, std::string_view name, std::string_view raw) {
    if (raw.empty()) {
        return;
    }
    append_name(out, name);
    append_label_value(out, raw);
    out += '"';
}

/// A path that looks as if it had been replaced already: somebody may have given it the very name of another.
bool ends_in_hash(std::string_view raw) {
    if (raw.size() < kHashSuffix || raw[raw.size() - kHashSuffix] != '#') {
        return false;
    }
    return std::ranges::all_of(raw.substr(raw.size() - kHashSuffix + 1),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

void append_id(std::string& out, std::string_view raw) {
    append_name(out, "id");
    const std::size_t start = out.size();
    if (!append_bounded(out, raw, kMaxLabelValue) || ends_in_hash(raw)) {
        out.resize(start);
        append_bounded(out, raw, kMaxLabelValue - kHashSuffix);
        char digits[16];
        const auto end = std::to_chars(digits, digits + sizeof digits, fnv1a(raw), 16).ptr;
        out += '#';
        out.append(static_cast<std::size_t>(digits + sizeof digits - end), '0').append(digits, end);
    }
    out += '"';
}

std::string sanitised(std::string_view key) {
    std::string name = "label_";
    for (const char c : key.substr(0, kMaxLabelName)) {
        const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name += keep ? c : '_';
    }
    return name;
}

}  // namespace

bool append_label_value(std::string& out, std::string_view raw) {
    return append_bounded(out, raw, kMaxLabelValue);
}

std::string render_labels(const Container& container) {
    std::string out;
    append_id(out, container.cgroup);
    append_label(out, "name", container.name);
    append_label(out, "image", container.image);
    append_label(out, "container", container.pod_container);
    append_label(out, "pod", container.pod);
    append_label(out, "namespace", container.pod_namespace);
    return out;
}

std::string render_info_labels(const Container& container, std::span<const Glob> allowed) {
    std::string out;
    append_label(out, "runtime", to_string(container.runtime));
    append_label(out, "container_id", container.id);
    append_label(out, "pod_uid", container.pod_uid);
    std::set<std::string> taken;
    for (const auto& [key, value] : container.labels) {
        const auto matches = [&](const Glob& glob) { return glob.matches(key); };
        if (taken.size() == kMaxInfoLabels || std::ranges::none_of(allowed, matches)) {
            continue;
        }
        if (auto name = sanitised(key); taken.insert(name).second) {
            append_label(out, name, value);
        }
    }
    return out;
}

}  // namespace plimsoll
