// SPDX-License-Identifier: Apache-2.0
#include "files/process_files.h"

#include <algorithm>
#include <charconv>

#include "files/parse.h"

namespace plimsoll {
namespace {

bool names_controller(std::string_view controllers, std::string_view wanted) {
    for (;;) {
        const auto comma = controllers.find(',');
        if (controllers.substr(0, comma) == wanted) {
            return true;
        }
        if (comma == std::string_view::npos) {
            return false;
        }
        controllers.remove_prefix(comma + 1);
    }
}

}  // namespace

std::vector<int> parse_pids(std::string_view text) {
    std::vector<int> pids;
    for (std::size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
        const std::string_view line = text.substr(0, end);
        int pid = 0;
        const auto parsed = std::from_chars(line.data(), line.data() + line.size(), pid);
        if (parsed.ec == std::errc() && parsed.ptr == line.data() + line.size() && pid > 0) {
            pids.push_back(pid);
        }
    }
    std::ranges::sort(pids);
    return pids;
}

std::string_view path_in(std::string_view text, std::string_view controller) {
    while (const auto line = take_line(text)) {
        const auto first = line->find(':');
        const auto second = first == std::string_view::npos ? first : line->find(':', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const auto controllers = line->substr(first + 1, second - first - 1);
        if (controller.empty() ? controllers.empty() : names_controller(controllers, controller)) {
            return line->substr(second + 1);
        }
    }
    return {};
}

bool is_within(std::string_view path, std::string_view cgroup) {
    return cgroup == "/" || path == cgroup ||
           (path.size() > cgroup.size() && path.starts_with(cgroup) && path[cgroup.size()] == '/');
}

std::optional<std::uint64_t> parse_start_ticks(std::string_view stat) {
    constexpr int kAfterName = 3, kStartTime = 22;  // fields count from 1
    const auto name_end = stat.rfind(')');          // the name may hold anything, spaces and parentheses too
    if (name_end == std::string_view::npos) {
        return std::nullopt;
    }
    stat.remove_prefix(name_end + 1);
    for (int field = kAfterName; field < kStartTime; ++field) {
        take_word(stat);
    }
    return parse_number(take_word(stat).value_or(""));
}

std::string_view device_in(std::string_view uevent) {
    constexpr std::string_view kKey = "DEVNAME=";
    while (const auto line = take_line(uevent)) {
        if (line->starts_with(kKey)) {
            return line->substr(kKey.size());
        }
    }
    return {};
}

}  // namespace plimsoll
