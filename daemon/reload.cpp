// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that is about a configuration that is read again while it runs: all of it is put in
// force, or nothing.
#include "config/reload.h"

#include <fmt/ranges.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <utility>

#include "core/clock.h"
#include "daemon.h"
#include "kernel/privileges.h"
#include "log.h"

namespace plimsoll {

namespace {

/// Whether the probe has to be started anew for what has changed of its own part.
bool is_restarted_for(std::string_view probe, const Config& now, const Config& next) {
    return (probe == "io" && now.io != next.io) ||
           (probe == "smoothing" && now.smoothing.windows != next.smoothing.windows);
}

}  // namespace

void Daemon::reload() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notify(0, fmt::format("RELOADING=1\nMONOTONIC_USEC={}{:06}", now.tv_sec, now.tv_nsec / 1000).c_str());
    auto next = read_again_();
    Result<void> done;
    if (next) {
        done = apply(*next);
    } else {
        for (const auto& problem : next.error()) {
            spdlog::error("{}", problem);
        }
        done = fail("the configuration has mistakes");
    }
    note_reload(done.has_value());
    if (done) {
        spdlog::info("the configuration has been read again, and is in force");
        start_log(config_.log_level, config_.log_format);
    } else {
        spdlog::error("{}; the configuration from before stays in force", done.error().message);
    }
    sd_notify(0, "READY=1");
}

/// What was read at a SIGHUP, with the web configuration.
void Daemon::note_reload(bool successful) {
    config_in_force_ = successful;
    note_web(successful || web_in_force_);
}

/// The web configuration is also read by itself, and can be in order while the other one is not.
void Daemon::note_web(bool successful) {
    web_in_force_ = successful;
    const bool all = config_in_force_ && web_in_force_;
    self_.set("plimsoll_config_last_reload_successful", all ? 1 : 0);
    if (all) {
        self_.set("plimsoll_config_last_reload_success_timestamp_seconds",
                  static_cast<double>(unix_time_ns(boot_time_ns())) / 1e9);
    }
}

/// What can fail comes first.
Result<void> Daemon::apply(const Settings& settings) {
    const Config& next = settings.config;
    const RaisedPrivileges raised;
    if (const auto keys = fixed_until_restart(config_, next); !keys.empty()) {
        return fail(fmt::format("{} can change at a start only", fmt::join(keys, ", ")));
    }
    auto probes = start_wanted(next);
    forget_kernel_types();
    if (!probes) {
        return std::unexpected(probes.error());
    }
    if (auto served = serve(next.web.listen, settings.web); !served) {
        return served;
    }
    policy_watch_.reset(next.web.config_file, settings.web_files);
    const Config former = std::exchange(config_, next);
    replace_probes(std::move(*probes));
    if (former.self_bpf_stats != config_.self_bpf_stats) {
        count_program_time();
    }
    if (former.smoothing.tick != config_.smoothing.tick) {
        (void)EventLoop::set_period(smoothing_timer_, config_.smoothing.tick);
    }
    if (former.containers != config_.containers) {
        select_again();
    }
    return {};
}

/// Whoever stays a container keeps its counters; who is none any more ends, as if its cgroup were gone.
void Daemon::select_again() {
    selector_ = Selector(config_.containers);
    set_info_labels();
    registry_->set_linger(static_cast<std::uint64_t>(config_.containers.linger.count()));
    drain_events();
    if (auto walked = watcher_->reselect(boot_time_ns()); !walked) {
        spdlog::warn("{}", walked.error().message);  // the next resync finds who is new
    }
    visit_tasks();
    tell_probes();
}

/// The probes that `next` wants; those that can go on as they are are not started again.
Result<std::vector<Daemon::NextProbe>> Daemon::start_wanted(const Config& next) {
    std::vector<NextProbe> wanted;
    for (auto& probe : make_probes()) {
        const std::string name(probe->name());
        const ProbeConfig& settings = next.probes.at(name);
        const auto runs = std::ranges::find(probes_, name, &RunningProbe::name);
        if (!settings.enabled) {
            continue;
        }
        if (runs != probes_.end() && runs->up && !is_restarted_for(name, config_, next)) {
            wanted.push_back({name, std::nullopt});
            continue;
        }
        auto started = start_probe(std::move(probe), next);
        if (!started) {
            return std::unexpected(started.error().in("probe " + name));
        }
        wanted.push_back({name, std::move(*started)});
    }
    if (std::ranges::none_of(wanted,
                             [](const NextProbe& probe) { return !probe.started || probe.started->up; })) {
        return fail("no probe could be started, so there is nothing to export");
    }
    return wanted;
}

/// An error only where the probe is required.
Result<Daemon::RunningProbe> Daemon::start_probe(std::unique_ptr<Probe> probe, const Config& config) {
    if (auto known = know_kernel_types(); !known) {
        return std::unexpected(known.error());
    }
    const std::string name(probe->name());
    const ProbeContext context{*scope_, *types_, layout_, config, kept_files_.get(), processes_.get()};
    auto started = probe->start(context);
    if (!started && config.probes.at(name).required) {
        return std::unexpected(started.error());
    }
    if (!started) {
        spdlog::error("probe {}: {}; the agent goes on without it", name, started.error().message);
    }
    if (started && !probe->cost().empty()) {
        spdlog::info("probe {}: {}", name, probe->cost());
    }
    return RunningProbe{std::move(probe), started.has_value()};
}

void Daemon::replace_probes(std::vector<NextProbe> next) {
    std::vector<RunningProbe> former = std::exchange(probes_, {});
    for (auto& [name, started] : next) {
        if (!started) {
            const auto goes_on = std::ranges::find(former, name, &RunningProbe::name);
            goes_on->probe->reconfigure(config_);
            probes_.push_back(std::move(*goes_on));
            former.erase(goes_on);
            continue;
        }
        probes_.push_back(std::move(*started));
        RunningProbe& running = probes_.back();
        if (running.up && watching_) {
            tell_probe(running);
        }
    }
    for (const auto& gone : former) {
        const std::string name(gone.name());
        self_.drop("plimsoll_probe_info", {{"probe", name}, {"method", std::string(gone.probe->method())}});
        self_.drop("plimsoll_probe_up", {{"probe", name}});
        self_.drop("plimsoll_probe_sample_seconds", {{"probe", name}});
    }
    for (const auto& running : probes_) {
        const std::string name(running.name());
        self_.set("plimsoll_probe_info", 1,
                  {{"probe", name}, {"method", std::string(running.probe->method())}});
        self_.set("plimsoll_probe_up", running.up ? 1 : 0, {{"probe", name}});
    }
}

void Daemon::tell_probes() {
    if (registry_->is_watching() == watching_) {
        return;
    }
    watching_ = !watching_;
    for (const auto& running : probes_) {
        tell_probe(running);
    }
}

void Daemon::tell_probe(const RunningProbe& running) {
    auto told = running.up ? running.probe->watching(watching_) : Result<void>();
    if (!told) {
        spdlog::error("probe {}: {}", running.name(), told.error().message);
    }
}

Result<void> Daemon::know_kernel_types() {
    if (types_) {
        return {};
    }
    auto types = KernelTypes::load();
    if (!types) {
        return std::unexpected(types.error());
    }
    types_ = std::make_unique<KernelTypes>(std::move(*types));
    return {};
}

/// They take several megabytes, and only starting something needs them.
void Daemon::forget_kernel_types() {
    types_.reset();
    malloc_trim(0);
}

}  // namespace plimsoll
