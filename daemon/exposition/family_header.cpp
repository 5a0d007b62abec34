// SPDX-License-Identifier: Apache-2.0
#include "exposition/family_header.h"

#include <initializer_list>

namespace plimsoll {
namespace {

constexpr std::string_view kTotal = "_total";

std::string_view type_name(FamilyType type, TextFormat format) {
    switch (type) {
        case FamilyType::counter:
            return "counter";
        case FamilyType::gauge:
            return "gauge";
        case FamilyType::histogram:
            return "histogram";
        case FamilyType::summary:
            return "summary";
        case FamilyType::untyped:
            return format == TextFormat::openmetrics ? "unknown" : "untyped";
    }
    return "";
}

bool is_suffix(std::string_view name, std::string_view unit) {
    return !unit.empty() && name.size() > unit.size() && name.ends_with(unit) &&
           name[name.size() - unit.size() - 1] == '_';
}

void append_line(std::string& out, std::initializer_list<std::string_view> pieces) {
    for (const std::string_view piece : pieces) {
        out += piece;
    }
    out += '\n';
}

void append_help(std::string& out, TextFormat format, std::string_view name, std::string_view help) {
    append_line(out, {"# HELP ", name, " "});
    out.pop_back();
    for (const char c : help) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || (c == '"' && format == TextFormat::openmetrics)) {
            out += '\\';
        }
        out += c;
    }
    out += '\n';
}

}  // namespace

void append_family_header(std::string& out, TextFormat format, std::string_view name, FamilyType type,
                          std::string_view unit, std::string_view help) {
    const bool openmetrics = format == TextFormat::openmetrics;
    if (openmetrics && type == FamilyType::counter) {
        if (name.ends_with(kTotal)) {
            name.remove_suffix(kTotal.size());
        } else {
            type = FamilyType::untyped;
        }
    } else if (openmetrics && name.ends_with(kTotal)) {
        type = FamilyType::untyped;  // that ending is for counters
    }
    if (!help.empty()) {
        append_help(out, format, name, help);
    }
    append_line(out, {"# TYPE ", name, " ", type_name(type, format)});
    if (openmetrics && is_suffix(name, unit)) {
        append_line(out, {"# UNIT ", name, " ", unit});
    }
}

}  // namespace plimsoll
