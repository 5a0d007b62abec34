// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/systemd_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>

namespace plimsoll {

namespace {

/// The message as a JSON string, quotes included: names in it are hostile input.
class JsonMessage : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        const nlohmann::json text(std::string(message.payload.data(), message.payload.size()));
        const std::string quoted = text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        out.append(quoted.data(), quoted.data() + quoted.size());
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<JsonMessage>();
    }
};

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::trace:
            return spdlog::level::trace;
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            break;
    }
    return spdlog::level::err;
}

std::shared_ptr<spdlog::logger> make_logger(LogFormat format) {
    if (format == LogFormat::journal) {
        return std::make_shared<spdlog::logger>("plimsoll",
                                                std::make_shared<spdlog::sinks::systemd_sink_mt>("plimsoll"));
    }
    auto logger =
        std::make_shared<spdlog::logger>("plimsoll", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>();
    if (format == LogFormat::json) {
        formatter->add_flag<JsonMessage>('*').set_pattern(
            R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%*})");
    } else {
        formatter->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    }
    logger->set_formatter(std::move(formatter));
    return logger;
}

/// libsystemd drops what it cannot hand over, and says nothing.
bool journal_listens() {
    return access("/run/systemd/journal/socket", W_OK) == 0;
}

}  // namespace

void start_log(LogLevel level, LogFormat format) {
    const bool unheard = format == LogFormat::journal && !journal_listens();
    auto logger = make_logger(unheard ? LogFormat::text : format);
    logger->set_level(level_of(level));
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    if (unheard) {
        spdlog::warn(
            "log.format: there is no journal at /run/systemd/journal/socket; the log goes to standard error");
    }
}

}  // namespace plimsoll
