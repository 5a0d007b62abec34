// SPDX-License-Identifier: Apache-2.0
#include "config/config_text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "config/text_guard.h"
#include "loop/unique_fd.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMostErrors = 100;

ConfigErrors to_lines(Problems problems, std::string_view file_name) {
    std::ranges::stable_sort(problems, {}, &Problem::at);
    ConfigErrors lines;
    for (const Problem& problem : problems) {
        if (lines.size() == kMostErrors) {
            lines.push_back(fmt::format("{}: {} more problems", file_name, problems.size() - kMostErrors));
            break;
        }
        lines.push_back(
            fmt::format("{}:{}:{}: {}", file_name, problem.at.line, problem.at.column, problem.text));
    }
    return lines;
}

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode))
        return "a directory";
    if (S_ISFIFO(mode))
        return "a FIFO";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

Result<void> require_regular(const struct stat& status, std::size_t most) {
    if (!S_ISREG(status.st_mode))
        return fail(fmt::format("is {}; allowed: a regular file", kind_of(status.st_mode)));
    if (status.st_size > static_cast<off_t>(most))
        return fail(fmt::format("is larger than {} KiB", most / 1024));
    return {};
}

}  // namespace

ConfigErrors parse_text(std::string_view text, std::string_view file_name,
                        const std::function<void(const Node& root, Problems& problems)>& apply) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text.starts_with(kByteOrderMark))
        text.remove_prefix(kByteOrderMark.size());
    Problems problems;
    if (auto problem = refuse_text(text))
        problems.push_back(std::move(*problem));
    else if (const auto tree = read_yaml(text, problems))
        apply(*tree, problems);
    return to_lines(std::move(problems), file_name);
}

/// Looks before it opens, because opening some devices has effects; and again afterwards, because the file
/// may be another by then. Reads no more than one byte above the limit, because a file may grow, and those in
/// /proc have no size.
Result<std::string> read_regular_file(const std::string& path, std::size_t most) {
    struct stat status{};
    if (stat(path.c_str(), &status) != 0)
        return fail_errno("cannot be read", errno);
    if (const auto regular = require_regular(status, most); !regular)
        return std::unexpected(regular.error());
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!file || fstat(file.get(), &status) != 0)
        return fail_errno("cannot be read", errno);
    if (const auto regular = require_regular(status, most); !regular)
        return std::unexpected(regular.error());
    std::string text(most + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = read(file.get(), text.data() + size, text.size() - size);
        if (count == 0)
            break;
        if (count > 0)
            size += static_cast<std::size_t>(count);
        else if (errno != EINTR)
            return fail_errno("cannot be read", errno);
    }
    text.resize(size);
    return text;
}

}  // namespace plimsoll
