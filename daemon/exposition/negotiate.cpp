// SPDX-License-Identifier: Apache-2.0
#include "exposition/negotiate.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace plimsoll {
namespace {

constexpr std::string_view kText = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view kOpenMetrics100 = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::string_view kOpenMetrics001 = "application/openmetrics-text; version=0.0.1; charset=utf-8";

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

bool same(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// Cuts the part before the first `separator` off the front of `rest`.
std::string_view take(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    return trimmed(part);
}

/// 0 to 1; nothing for what is no quality, which then counts as 0: not wanted.
double quality(std::string_view text) {
    double value = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    const bool valid = error == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 1;
    return valid ? value : 0;
}

struct Choice {  ///< one element of Accept or Accept-Encoding
    std::string_view name;
    std::string_view version;
    double q = 1;
};

Choice take_choice(std::string_view& list) {
    std::string_view element = take(list, ',');
    Choice choice{.name = take(element, ';'), .version = {}, .q = 1};
    while (!element.empty()) {
        std::string_view value = take(element, ';');
        const std::string_view key = take(value, '=');
        value = trimmed(value);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
            value = value.substr(1, value.size() - 2);
        }
        if (same(key, "q")) {
            choice.q = quality(value);
        } else if (same(key, "version")) {
            choice.version = value;
        }
    }
    return choice;
}

std::string_view content_type(std::string_view accept) {
    double text = 0;
    double openmetrics = 0;
    std::string_view best = kOpenMetrics100;
    while (!accept.empty()) {
        const Choice choice = take_choice(accept);
        if (same(choice.name, "text/plain")) {
            text = std::max(text, choice.q);
        } else if (same(choice.name, "application/openmetrics-text") && choice.q > openmetrics) {
            const bool old = choice.version == "0.0.1";
            if (old || choice.version.empty() || choice.version == "1.0.0") {
                openmetrics = choice.q;
                best = old ? kOpenMetrics001 : kOpenMetrics100;
            }
        }
    }
    return openmetrics > 0 && openmetrics >= text ? best : kText;
}

bool wants_gzip(std::string_view accept_encoding) {
    std::optional<double> gzip;
    std::optional<double> any;
    double identity = 0;
    while (!accept_encoding.empty()) {
        const Choice choice = take_choice(accept_encoding);
        if (same(choice.name, "gzip") || same(choice.name, "x-gzip")) {
            gzip = choice.q;
        } else if (choice.name == "*") {
            any = choice.q;
        } else if (same(choice.name, "identity")) {
            identity = choice.q;
        }
    }
    const double q = gzip.value_or(any.value_or(0));
    return q > 0 && q >= identity;
}

}  // namespace

Negotiated negotiate(std::string_view accept, std::string_view accept_encoding) {
    const std::string_view type = content_type(accept.substr(0, kMaxNegotiated));
    return {.format = type == kText ? TextFormat::prometheus : TextFormat::openmetrics,
            .content_type = type,
            .gzip = wants_gzip(accept_encoding.substr(0, kMaxNegotiated))};
}

}  // namespace plimsoll
