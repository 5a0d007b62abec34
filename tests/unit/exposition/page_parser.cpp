// SPDX-License-Identifier: Apache-2.0
#include "page_parser.h"

#include <algorithm>
#include <stdexcept>

namespace plimsoll::testing {
namespace {

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_name(std::string_view text, bool colons) {
    const auto fits = [&](char c) { return is_letter(c) || is_digit(c) || (colons && c == ':'); };
    return !text.empty() && !is_digit(text[0]) && std::ranges::all_of(text, fits);
}

std::string_view take_digits(std::string_view& text) {
    const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
}

/// NaN, +Inf, -Inf or -?digits[.digits][e(+|-)digits]
bool is_number(std::string_view text) {
    if (text == "NaN" || text == "+Inf" || text == "-Inf") {
        return true;
    }
    text.remove_prefix(text.starts_with('-') ? 1 : 0);
    bool valid = !take_digits(text).empty();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        valid = valid && !take_digits(text).empty();
    }
    if (text.starts_with("e+") || text.starts_with("e-")) {
        text.remove_prefix(2);
        valid = valid && !take_digits(text).empty();
    }
    return valid && text.empty();
}

std::string unescape(std::string_view text, bool quotes) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        const char next = i + 1 < text.size() ? text[++i] : '\0';
        if (next == 'n') {
            out += '\n';
        } else if (next == '\\' || (next == '"' && quotes)) {
            out += next;
        } else {
            throw std::runtime_error("unknown escape in " + std::string(text));
        }
    }
    return out;
}

using Suffixes = std::map<std::string, std::vector<std::string>>;

/// What a sample's name may add to its family's, by type.
Suffixes suffixes(bool openmetrics) {
    Suffixes all{
        {"gauge", {""}}, {"histogram", {"_bucket", "_sum", "_count"}}, {"summary", {"", "_sum", "_count"}}};
    all["counter"] = {openmetrics ? "_total" : ""};
    all[openmetrics ? "unknown" : "untyped"] = {""};
    return all;
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80       ? 1
                                   : lead >> 5 == 6  ? 2
                                   : lead >> 4 == 14 ? 3
                                   : lead >> 3 == 30 ? 4
                                                     : 0;
        if (length == 0 || i + length > text.size()) {
            return false;
        }
        std::uint32_t point = length == 1 ? lead : lead & (0x7FU >> length);
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if (next >> 6 != 2) {
                return false;
            }
            point = point << 6 | (next & 0x3FU);
        }
        const std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        if (point < smallest[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
            return false;
        }
        i += length;
    }
    return true;
}

std::vector<ParsedFamily> PageParser::parse(std::string_view page, bool openmetrics) {
    PageParser parser(openmetrics);
    if (!is_valid_utf8(page) || page.find('\0') != std::string_view::npos) {
        parser.refuse("not UTF-8");
    }
    while (!page.empty()) {
        const std::size_t end = page.find('\n');
        if (end == std::string_view::npos) {
            parser.refuse("last line does not end");
        }
        ++parser.number_;
        parser.line(page.substr(0, end));
        page.remove_prefix(end + 1);
    }
    if (openmetrics && !parser.ended_) {
        parser.refuse("no # EOF");
    }
    return std::move(parser.families_);
}

void PageParser::line(std::string_view text) {
    if (ended_) {
        refuse("text after # EOF");
    }
    if (openmetrics_ && text == "# EOF") {
        ended_ = true;
    } else if (text.starts_with('#')) {
        comment(text);
    } else {
        sample(text);
    }
}

ParsedFamily& PageParser::family(const std::string& name) {
    if (!is_name(name, true)) {
        refuse("bad family name");
    }
    if (families_.empty() || families_.back().name != name) {
        if (!names_.insert(name).second) {
            refuse("family " + name + " occurs twice");
        }
        families_.push_back({.name = name, .type = "", .help = "", .unit = "", .samples = {}});
    }
    if (!families_.back().samples.empty()) {
        refuse("metadata after samples");
    }
    return families_.back();
}

void PageParser::comment(std::string_view text) {
    const std::size_t name_end = text.find(' ', 7);
    const std::string kind(text.size() > 7 ? text.substr(2, 4) : "");
    if (!text.starts_with("# ") || text[6] != ' ' || name_end == std::string_view::npos ||
        (kind != "HELP" && kind != "TYPE" && kind != "UNIT")) {
        refuse("unknown comment");
    }
    ParsedFamily& target = family(std::string(text.substr(7, name_end - 7)));
    const std::string_view rest = text.substr(name_end + 1);
    std::string& field = kind == "HELP" ? target.help : kind == "TYPE" ? target.type : target.unit;
    if (!field.empty() || (kind == "UNIT" && !openmetrics_)) {
        refuse(kind + " twice or not allowed");
    }
    field = kind == "HELP" ? unescape(rest, openmetrics_) : std::string(rest);
    if (kind == "TYPE" && !suffixes(openmetrics_).contains(field)) {
        refuse("unknown type");
    }
    if (kind == "UNIT" && !target.name.ends_with("_" + field)) {
        refuse("unit is no suffix");
    }
}

bool PageParser::belongs(const std::string& name) const {
    if (families_.empty()) {
        return false;
    }
    const auto all = suffixes(openmetrics_).at(families_.back().type);
    return std::ranges::any_of(all,
                               [&](const auto& suffix) { return name == families_.back().name + suffix; });
}

std::map<std::string, std::string> PageParser::labels(std::string_view& rest) {
    std::map<std::string, std::string> found;
    while (!rest.starts_with('}')) {
        const std::size_t equals = rest.find("=\"");
        if (equals == std::string_view::npos) {
            refuse("label without value");
        }
        const std::string name(rest.substr(0, equals));
        std::size_t end = equals + 2;
        while (end < rest.size() && rest[end] != '"') {
            end += rest[end] == '\\' ? 2 : 1;
        }
        if (end >= rest.size() || !is_name(name, false)) {
            refuse("bad label");
        }
        if (!found.emplace(name, unescape(rest.substr(equals + 2, end - equals - 2), true)).second) {
            refuse("label twice");
        }
        rest.remove_prefix(end + 1);
        const bool more = rest.starts_with(',') && rest.size() > 1 && rest[1] != '}';
        if (!more && !rest.starts_with('}')) {
            refuse("labels do not end");
        }
        rest.remove_prefix(more ? 1 : 0);
    }
    rest.remove_prefix(1);
    return found;
}

void PageParser::sample(std::string_view text) {
    const std::size_t name_end = text.find_first_of("{ ");
    ParsedSample parsed{.name = std::string(text.substr(0, name_end)), .labels = {}, .value = ""};
    std::string_view rest = name_end == std::string_view::npos ? "" : text.substr(name_end);
    if (rest.starts_with('{')) {
        rest.remove_prefix(1);
        parsed.labels = labels(rest);
    }
    if (!rest.starts_with(' ')) {
        refuse("no value");
    }
    parsed.value = rest.substr(1);
    if (!is_number(parsed.value)) {
        refuse("bad value " + parsed.value);
    }
    if (!belongs(parsed.name)) {
        refuse("sample outside its family");
    }
    std::string key = parsed.name;
    for (const auto& [name, value] : parsed.labels) {
        key += '\0' + name + '\0' + value;
    }
    if (!series_.insert(key).second) {
        refuse("series twice");
    }
    families_.back().samples.push_back(std::move(parsed));
}

void PageParser::refuse(const std::string& why) const {
    throw std::runtime_error("line " + std::to_string(number_) + ": " + why);
}

}  // namespace plimsoll::testing
