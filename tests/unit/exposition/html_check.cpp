// SPDX-License-Identifier: Apache-2.0
#include "html_check.h"

#include <regex>

namespace plimsoll::testing {
namespace {

const std::regex kTag(R"(<(/?)([a-z][a-z0-9]*)((?: [a-z-]+(?:="[^"<>]*")?)*)>)");
const std::regex kText(R"((?:[^<>&]|&(?:amp|lt|gt|quot|#39);)*)");

bool is_void(const std::string& name) {
    return name == "meta";
}

}  // namespace

std::string html_problem(std::string_view page) {
    constexpr std::string_view kDoctype = "<!DOCTYPE html>\n";
    if (!page.starts_with(kDoctype)) {
        return "no doctype";
    }
    std::string rest(page.substr(kDoctype.size()));
    std::vector<std::string> open;
    while (!rest.empty()) {
        std::smatch match;
        if (rest[0] != '<') {
            const bool raw = !open.empty() && (open.back() == "script" || open.back() == "style");
            const auto end =
                raw ? rest.find("</" + open.back() + ">") : std::min(rest.find('<'), rest.size());
            const std::string text = rest.substr(0, end);
            if (!raw && !std::regex_match(text, kText)) {
                return "unescaped: " + text.substr(0, 80);
            }
            rest = rest.substr(end);
        } else if (!std::regex_search(rest, match, kTag, std::regex_constants::match_continuous)) {
            return "no tag: " + rest.substr(0, 80);
        } else {
            const std::string name = match[2];
            if (match[1].length() == 0 && !is_void(name)) {
                open.push_back(name);
            } else if (match[1].length() > 0) {
                if (open.empty() || open.back() != name) {
                    return "closed out of order: " + rest.substr(0, 80);
                }
                open.pop_back();
            }
            rest = match.suffix();
        }
    }
    return open.empty() ? "" : "never closed: " + open.back();
}

std::vector<std::string> texts_of(std::string_view page, std::string_view tag) {
    std::vector<std::string> texts;
    const std::string name(tag.substr(1, tag.find_first_of(" >") - 1));
    for (std::size_t at = page.find(tag); at != std::string_view::npos; at = page.find(tag, at + 1)) {
        const std::size_t begin = page.find('>', at) + 1;
        const std::string inside(page.substr(begin, page.find("</" + name + ">", begin) - begin));
        texts.push_back(std::regex_replace(inside, std::regex("<[^>]*>"), ""));
    }
    return texts;
}

}  // namespace plimsoll::testing
