// SPDX-License-Identifier: Apache-2.0
#include "files/mounts.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace plimsoll {
namespace {

bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

/// The kernel writes what would end a field as a backslash and three octal digits.
std::string unescaped(std::string_view text) {
    constexpr std::size_t kEscape = 4;
    std::string plain;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto digits = text.substr(at).substr(0, kEscape);
        if (digits.size() == kEscape && digits[0] == '\\' &&
            std::ranges::all_of(digits.substr(1), is_octal)) {
            plain += static_cast<char>((digits[1] - '0') * 64 + (digits[2] - '0') * 8 + (digits[3] - '0'));
            at += kEscape - 1;
        } else {
            plain += text[at];
        }
    }
    return plain;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

/// A last line without a line feed is cut off and left out.
void each_mount(std::string_view mountinfo, const std::function<void(Mount&)>& visit) {
    for (std::size_t end; (end = mountinfo.find('\n')) != std::string_view::npos;
         mountinfo.remove_prefix(end + 1)) {
        if (auto mount = parse_mount(mountinfo.substr(0, end))) {
            visit(*mount);
        }
    }
}

bool is_on(std::string_view path, std::string_view point) {
    return point == "/" || path == point ||
           (path.size() > point.size() && path.starts_with(point) && path[point.size()] == '/');
}

}  // namespace

/// `36 35 98:0 /root /point rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue`; of the words
/// before the dash there may be none or many.
std::optional<Mount> parse_mount(std::string_view line) {
    constexpr std::size_t kNumber = 2, kRoot = 3, kPoint = 4, kFixed = 6, kAfterDash = 3;
    const auto words = split(line, ' ');
    const auto dash =
        words.size() < kFixed ? words.end() : std::find(words.begin() + kFixed, words.end(), "-");
    if (std::cmp_less_equal(words.end() - dash, kAfterDash)) {
        return std::nullopt;
    }
    if (!words[kPoint].starts_with('/')) {
        return std::nullopt;
    }
    return Mount{std::string(words[kNumber]), unescaped(words[kRoot]), unescaped(words[kPoint]),
                 unescaped(dash[1]),          unescaped(dash[2]),      std::string(dash[3])};
}

std::optional<Mount> root_mount(std::string_view mountinfo) {
    std::optional<Mount> root;
    each_mount(mountinfo, [&](Mount& mount) {
        if (mount.point == "/") {
            root = std::move(mount);
        }
    });
    return root;
}

std::optional<Mount> mount_of(std::string_view mountinfo, std::string_view path) {
    std::optional<Mount> best;
    each_mount(mountinfo, [&](Mount& mount) {
        if (is_on(path, mount.point) && (!best || mount.point.size() >= best->point.size())) {
            best = std::move(mount);
        }
    });
    return best;
}

/// Layers are separated by colons, or since Linux 6.8 given one by one as `lowerdir+`.
std::vector<std::string> mount_option(const Mount& mount, std::string_view name) {
    std::vector<std::string> values;
    for (const auto option : split(mount.options, ',')) {
        const auto equals = option.find('=');
        const auto key = option.substr(0, equals);
        if (equals == std::string_view::npos || !key.starts_with(name) ||
            (key != name && key.substr(name.size()) != "+")) {
            continue;
        }
        const std::string value = unescaped(option.substr(equals + 1));
        if (name != "lowerdir") {
            values.push_back(value);
            continue;
        }
        for (const auto layer : split(value, ':')) {
            values.emplace_back(layer);
        }
    }
    return values;
}

bool is_remote(std::string_view type) {
    constexpr auto kRemote = std::to_array<std::string_view>(
        {"nfs",   "nfs4",  "cifs",  "smb3",   "smbfs",   "ceph",   "9p",        "virtiofs",
         "afs",   "coda",  "ncpfs", "lustre", "gpfs",    "beegfs", "glusterfs", "orangefs",
         "pvfs2", "ocfs2", "gfs2",  "fuse",   "fuseblk", "autofs"});
    return std::ranges::find(kRemote, type) != kRemote.end() || type.starts_with("fuse.");
}

std::string device_name(const Mount& mount) {
    if (mount.type == "overlay") {
        std::string name = mount.source + "_" + mount.number;
        std::ranges::replace(name, ':', '-');
        return name;
    }
    return mount.source.empty() || mount.source == "none" ? mount.type : mount.source;
}

}  // namespace plimsoll
