// SPDX-License-Identifier: Apache-2.0
// Options and subcommands. Exit codes: 0 fine, 1 cannot do it here, 2 usage or configuration.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>
#include <iostream>
#include <new>
#include <optional>

#include "check_command.h"
#include "config/load.h"
#include "config/names.h"
#include "daemon.h"
#include "exposition/listen_address.h"
#include "kernel/features.h"
#include "list_command.h"
#include "log.h"
#include "metrics_command.h"

namespace {

using plimsoll::Config;

constexpr int kFine = 0;
constexpr int kCannot = 1;
constexpr int kUsage = 2;
constexpr const char* kDefaultConfig = "/etc/plimsoll/plimsoll.yaml";

struct Options {
    std::string config_file;
    std::vector<std::string> listen;
    std::string web_config_file;
    std::string log_level;
    std::string format = "table";
};

/// In place of a closed standard stream the next descriptor that is opened would get what is written to that
/// stream. Writing to the stand-in of the standard output fails, so that a lost answer is noticed.
void hold_standard_streams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)open("/dev/null",
                       fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);  // takes the lowest free number: fd
        }
    }
}

std::string listen_problem(const std::string& address) {
    const auto parsed = plimsoll::parse_listen_address(address);
    return parsed ? std::string() : parsed.error().message;
}

/// The configuration that the options ask for.
std::expected<Config, plimsoll::ConfigErrors> load_config(const Options& options) {
    std::string file = options.config_file;
    if (file.empty() && access(kDefaultConfig, F_OK) == 0) {
        file = kDefaultConfig;
    }
    Config config = plimsoll::default_config();
    if (!file.empty()) {
        auto loaded = plimsoll::load_config(file);
        if (!loaded) {
            return std::unexpected(std::move(loaded.error()));
        }
        config = std::move(*loaded);
    }
    if (!options.listen.empty()) {
        config.web.listen = options.listen;
    }
    if (!options.web_config_file.empty()) {
        config.web.config_file = options.web_config_file;
    }
    if (!options.log_level.empty()) {
        config.log_level = *plimsoll::parse_log_level(options.log_level);
    }
    return config;
}

/// The same with what it says of the web server.
std::expected<plimsoll::Settings, plimsoll::ConfigErrors> load_settings(const Options& options) {
    auto config = load_config(options);
    if (!config) {
        return std::unexpected(std::move(config.error()));
    }
    auto web = plimsoll::load_policy(config->web.config_file);
    if (!web.policy) {
        return std::unexpected(std::move(web.policy.error()));
    }
    return plimsoll::Settings{std::move(*config), std::move(*web.policy), std::move(web.files)};
}

/// What was read; nothing after the problems have been printed.
template <typename T>
std::optional<T> or_print(std::expected<T, plimsoll::ConfigErrors> read) {
    if (!read) {
        for (const auto& problem : read.error()) {
            std::cerr << problem << '\n';
        }
        return std::nullopt;
    }
    return std::move(*read);
}

/// A page of many containers is some large pieces of memory for a moment: those go back to the system at once
/// instead of staying with the allocator, and the threads share what is small.
void limit_idle_memory() {
    constexpr int kLargePiece = 128 * 1024;
    mallopt(M_MMAP_THRESHOLD, kLargePiece);
    mallopt(M_TRIM_THRESHOLD, 4 * kLargePiece);
    mallopt(M_ARENA_MAX, 2);
}

int run_daemon(const Options& options) {
    limit_idle_memory();
    auto settings = or_print(load_settings(options));
    if (!settings) {
        return kUsage;
    }
    plimsoll::start_log(settings->config.log_level, settings->config.log_format);
    plimsoll::route_libbpf_messages();
    auto daemon = plimsoll::Daemon::start(*settings, [&options] { return load_settings(options); });
    settings.reset();
    if (!daemon) {
        spdlog::error("{}", daemon.error().message);
        return kCannot;
    }
    if (auto done = (*daemon)->run(); !done) {
        spdlog::error("{}", done.error().message);
        return kCannot;
    }
    return kFine;
}

int run_check(const Options& options) {
    const auto settings = or_print(load_settings(options));
    if (!settings) {
        return kUsage;
    }
    plimsoll::start_log(plimsoll::LogLevel::error, plimsoll::LogFormat::text);
    plimsoll::route_libbpf_messages();
    return plimsoll::run_check(settings->config, *settings->web, std::cout);
}

void add_config_option(CLI::App* command, Options& options) {
    command
        ->add_option("--config", options.config_file,
                     std::string("Configuration file (default: ") + kDefaultConfig +
                         " if it exists, else built-in defaults)")
        ->type_name("FILE");
}

int dispatch(CLI::App& app, const Options& options) {
    if (app.got_subcommand("daemon")) {
        return run_daemon(options);
    }
    if (app.got_subcommand("check")) {
        return run_check(options);
    }
    if (app.got_subcommand("list")) {
        const auto config = or_print(load_config(options));
        return config ? plimsoll::run_list(*config, options.format == "json", std::cout, std::cerr) : kUsage;
    }
    plimsoll::print_catalogue(std::cout);
    return kFine;
}

int parse_and_dispatch(int argc, char** argv) {
    Options options;
    CLI::App app(
        "Plimsoll accounts for every second of every thread of the containers on this host and serves the "
        "result on /metrics.");
    app.require_subcommand(0, 1);
    app.set_version_flag("--version", std::string("plimsoll ") + PLIMSOLL_VERSION);
    app.footer(
        "Examples:\n"
        "  plimsoll check                                  can the agent run here?\n"
        "  plimsoll list --format json                     what would it watch?\n"
        "  plimsoll daemon --web.listen-address :9752      run it\n"
        "  curl -s localhost:9752/metrics | grep thread_seconds");

    auto* daemon = app.add_subcommand("daemon", "Run the agent");
    add_config_option(daemon, options);
    daemon
        ->add_option("--web.listen-address", options.listen,
                     "Address to listen on, instead of web.listen; repeatable")
        ->type_name("ADDR")
        ->check(listen_problem)
        ->allow_extra_args(false);
    daemon
        ->add_option("--web.config.file", options.web_config_file,
                     "TLS and passwords of the web server, instead of web.config_file")
        ->type_name("FILE");
    std::vector<std::string> levels;
    for (const auto level : plimsoll::kLogLevels) {
        levels.emplace_back(to_string(level));
    }
    daemon->add_option("--log.level", options.log_level, "Least severe messages to log, instead of log.level")
        ->type_name("LEVEL")
        ->check(CLI::IsMember(levels));
    add_config_option(app.add_subcommand("check", "Check the configuration and this host"), options);
    auto* list = app.add_subcommand("list", "List the containers that the agent would watch");
    add_config_option(list, options);
    list->add_option("--format", options.format, "table or json")->check(CLI::IsMember({"table", "json"}));
    app.add_subcommand("metrics", "Print the catalogue of metrics as Markdown");

    try {
        app.parse(argc, argv);
        if (app.get_subcommands().empty()) {
            throw CLI::RequiredError("A command (daemon, check, list or metrics)");
        }
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kFine : kUsage;
    }
    return dispatch(app, options);
}

int run(int argc, char** argv) {
    hold_standard_streams();
    const int code = parse_and_dispatch(argc, argv);
    if (!std::cout.flush()) {
        std::cerr << "plimsoll: the output could not be written\n";
        return kCannot;
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::bad_alloc&) {
        std::cerr
            << "plimsoll: there is not enough memory: raise the limit (MemoryMax=, ulimit -v), or lower "
               "containers.max\n";
        return kCannot;
    } catch (const std::exception& error) {
        std::cerr << "plimsoll: " << error.what() << '\n';
        return kCannot;
    }
}
