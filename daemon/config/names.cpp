// SPDX-License-Identifier: Apache-2.0
#include "config/names.h"

#include <cstddef>

namespace plimsoll {
namespace {

template <typename Enum, std::size_t N>
std::optional<Enum> find(const std::array<Enum, N>& values, std::string_view text) {
    for (const Enum value : values)
        if (to_string(value) == text)
            return value;
    return std::nullopt;
}

}  // namespace

std::string_view to_string(EventChannelKind kind) {
    switch (kind) {
        case EventChannelKind::automatic:
            return "auto";
        case EventChannelKind::ringbuf:
            return "ringbuf";
        case EventChannelKind::perf:
            return "perf";
    }
    return "";
}

std::string_view to_string(IoMethod method) {
    switch (method) {
        case IoMethod::automatic:
            return "auto";
        case IoMethod::fentry:
            return "fentry";
        case IoMethod::syscalls:
            return "syscalls";
    }
    return "";
}

std::string_view to_string(LogFormat format) {
    switch (format) {
        case LogFormat::text:
            return "text";
        case LogFormat::json:
            return "json";
        case LogFormat::journal:
            return "journal";
    }
    return "";
}

std::string_view to_string(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return "trace";
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "";
}

std::optional<EventChannelKind> parse_event_channel_kind(std::string_view text) {
    return find(kEventChannelKinds, text);
}

std::optional<IoMethod> parse_io_method(std::string_view text) {
    return find(kIoMethods, text);
}

std::optional<LogFormat> parse_log_format(std::string_view text) {
    return find(kLogFormats, text);
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
    return find(kLogLevels, text);
}

std::optional<Runtime> parse_runtime(std::string_view text) {
    return find(kRuntimes, text);
}

}  // namespace plimsoll
