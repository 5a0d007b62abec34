// SPDX-License-Identifier: Apache-2.0
// The words that the configuration and the command line use for the enums, in both directions.
// to_string(Runtime) is declared with Runtime.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "containers/container.h"

namespace plimsoll {

std::string_view to_string(EventChannelKind kind);
std::string_view to_string(IoMethod method);
std::string_view to_string(LogFormat format);
std::string_view to_string(LogLevel level);

inline constexpr std::array kEventChannelKinds{EventChannelKind::automatic, EventChannelKind::ringbuf,
                                               EventChannelKind::perf};
inline constexpr std::array kIoMethods{IoMethod::automatic, IoMethod::fentry, IoMethod::syscalls};
inline constexpr std::array kLogFormats{LogFormat::text, LogFormat::json, LogFormat::journal};
inline constexpr std::array kLogLevels{LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn,
                                       LogLevel::error};
/// Those that discovery can find, in the order of the documentation; `cgroup` is selected by path only.
inline constexpr std::array kDiscoverable{Runtime::docker, Runtime::containerd, Runtime::crio,
                                          Runtime::podman, Runtime::kubernetes, Runtime::lxc,
                                          Runtime::nspawn, Runtime::systemd};
inline constexpr std::array kRuntimes{Runtime::docker, Runtime::containerd, Runtime::crio,
                                      Runtime::podman, Runtime::kubernetes, Runtime::lxc,
                                      Runtime::nspawn, Runtime::systemd,    Runtime::cgroup};

std::optional<EventChannelKind> parse_event_channel_kind(std::string_view text);
std::optional<IoMethod> parse_io_method(std::string_view text);
std::optional<LogFormat> parse_log_format(std::string_view text);
std::optional<LogLevel> parse_log_level(std::string_view text);
std::optional<Runtime> parse_runtime(std::string_view text);

}  // namespace plimsoll
