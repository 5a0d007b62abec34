// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <csignal>

#include "containers/hierarchy_number.h"
#include "containers/start_time.h"
#include "core/clock.h"
#include "exposition/labels.h"
#include "kernel/programs.h"
#include "watchdog.h"

namespace plimsoll {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long an event can wait when the channel is far from full; births are exact all the same, the kernel
// sees to it.
constexpr auto kTick = milliseconds(100);
constexpr auto kResync = seconds(30);
// Newborn cgroups that can have a slot before the daemon has read their events: 2,560 births a second at
// kTick.
constexpr std::uint32_t kProvisionalSlots = 256;
// Threads that sleep while they are moved, or while their cgroup turns out to be no container, are visited at
// most this often between scrapes.
constexpr std::uint64_t kVisitPauseNs = 1'000'000'000;
// A runtime may write its files after it has made the cgroup: nameless containers are asked for at each
// round, this long. All others, too, in turn, so that a rename shows within ten seconds; what has not changed
// is not read.
constexpr std::uint64_t kRoundNs = 490'000'000;
constexpr std::uint64_t kNamePatienceNs = 30'000'000'000;
constexpr std::uint64_t kRefreshTurns = 20;

}  // namespace

Daemon::Daemon(const Config& config) : config_(config), selector_(config.containers) {
    for (const auto& pattern : config.containers.labels) {
        info_labels_.emplace_back(pattern, GlobKind::text);
    }
}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Config& config) {
    std::unique_ptr<Daemon> daemon(new Daemon(config));
    daemon->descriptors_ = std::make_unique<DescriptorBudget>(keepable_descriptors(raise_descriptor_limit()));
    auto loop = EventLoop::create();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    daemon->loop_ = std::make_unique<EventLoop>(std::move(*loop));
    const auto done =
        in_order([&] { return daemon->start_web(); }, [&] { return daemon->start_kernel_side(); },
                 [&] { return daemon->start_probes(); }, [&] { return daemon->start_watching(); },
                 [&] { return daemon->schedule(); });
    if (!done) {
        return std::unexpected(done.error());
    }
    return daemon;
}

/// The signals are blocked before the web server starts its threads, which inherit the mask.
Result<void> Daemon::start_web() {
    auto exchange = SnapshotExchange::create();
    if (!exchange) {
        return std::unexpected(exchange.error());
    }
    exchange_ = std::move(*exchange);
    auto done = loop_->on_signals({SIGTERM, SIGINT}, [this](int signal) {
        spdlog::info("stopping on {}", strsignal(signal));
        loop_->stop();
    });
    if (!done) {
        return done;
    }
    auto web = WebServer::start(config_.web.listen, *exchange_);
    if (!web) {
        return std::unexpected(web.error());
    }
    web_ = std::move(*web);
    return {};
}

Result<void> Daemon::start_kernel_side() {
    auto layout = detect_layout();
    if (!layout) {
        return std::unexpected(layout.error());
    }
    layout_ = std::move(*layout);
    if (const std::string missing = missing_capabilities(); !missing.empty()) {
        return fail("the agent lacks " + missing + ": run it as root or with these capabilities");
    }
    auto types = KernelTypes::load();
    if (!types) {
        return std::unexpected(types.error());
    }
    types_ = std::make_unique<KernelTypes>(std::move(*types));
    const Registry::Limits limits{config_.containers.max, kProvisionalSlots,
                                  static_cast<std::uint64_t>(config_.containers.linger.count())};
    ScopeOptions options;
    options.slots = Registry::slots_needed(limits);
    options.provisional = limits.provisional;
    options.cgroup_v2 = layout_.v2;
    options.controller = layout_.controller;
    options.channel = config_.events_channel;
    if (!layout_.v2) {
        const auto number = hierarchy_number(layout_.controller);
        if (!number) {
            return std::unexpected(number.error());
        }
        options.hierarchy_id = *number;
    }
    if (config_.self_bpf_stats) {
        program_stats_ = enable_program_stats();
        if (!program_stats_) {
            spdlog::warn("self.bpf_stats: {}; the agent goes on without, CAP_SYS_ADMIN would allow it",
                         strerrordesc_np(errno));
        }
    }
    auto scope = Scope::load(options, *types_);
    if (!scope) {
        return std::unexpected(scope.error());
    }
    scope_ = std::move(*scope);
    registry_ = std::make_unique<Registry>(
        *scope_, limits,
        Registry::Callbacks{
            .select = [this](const std::string& path) { return selector_.select(path); },
            .render =
                [this](const Container& container) {
                    return RenderedLabels{std::make_shared<const std::string>(render_labels(container)),
                                          render_info_labels(container, info_labels_)};
                },
            .born = [this](const std::string& cgroup) { return oldest_process_ns(layout_, cgroup); },
            .fold =
                [this](std::uint32_t slot, Handle heir) {
                    for (const auto& running : probes_) {
                        if (running.up) {
                            running.probe->fold(slot, heir);
                        }
                    }
                },
            .forget = [this](Handle handle) { forget(handle); }});
    watcher_ = std::make_unique<Watcher>(*registry_, *scope_, layout_);
    groups_ = std::make_unique<Groups>(Groups::Callbacks{
        .id_of = [this](const std::string& path) { return id_of(layout_, path); },
        .render =
            [](const Container& container) {
                return RenderedLabels{std::make_shared<const std::string>(render_labels(container)), ""};
            },
        .forget = [this](Handle handle) { forget(handle); }});
    return {};
}

Result<void> Daemon::start_probes() {
    processes_ = std::make_unique<ContainerProcesses>(ProcessFinder(layout_), descriptors_.get());
    const ProbeContext context{*scope_, *types_, layout_, config_, descriptors_.get(), processes_.get()};
    for (auto& probe : make_probes()) {
        const std::string name(probe->name());
        const ProbeConfig& wanted = config_.probes[name];
        if (!wanted.enabled) {
            continue;
        }
        auto started = probe->start(context);
        if (!started && wanted.required) {
            return std::unexpected(started.error().in("probe " + name));
        }
        if (!started) {
            spdlog::error("probe {}: {}; the agent goes on without it", name, started.error().message);
        }
        if (started && !probe->cost().empty()) {
            spdlog::info("probe {}: {}", name, probe->cost());
        }
        self_.set("plimsoll_probe_info", 1, {{"probe", name}, {"method", std::string(probe->method())}});
        self_.set("plimsoll_probe_up", started ? 1 : 0, {{"probe", name}});
        probes_.push_back({std::move(probe), started.has_value()});
    }
    if (std::ranges::none_of(probes_, &RunningProbe::up)) {
        return fail("no probe could be started, so there is nothing to export");
    }
    return {};
}

Result<void> Daemon::start_watching() {
    // The channel first: what is sent before it is open is lost.
    auto events = scope_->open_events([this](std::span<const std::byte> record) { on_record(record); });
    if (!events) {
        return std::unexpected(events.error());
    }
    events_ = std::move(*events);
    if (auto attached = scope_->attach(); !attached) {
        return attached;
    }
    if (auto seeded = watcher_->seed(boot_time_ns()); !seeded) {
        return seeded;
    }
    drain_events();
    registry_->visited();
    return in_order([this] { return scope_->visit_tasks(); }, [this] { return scope_->visit_tasks(); });
}

Result<void> Daemon::schedule() {
    types_.reset();  // the kernel's types take several megabytes, and only the start needs them
    malloc_trim(0);
    self_.set("plimsoll_build_info", 1, {{"version", PLIMSOLL_VERSION}, {"compiler", __VERSION__}});
    take_snapshot();
    return in_order([this] { return loop_->watch(exchange_->fd(), [this] { answer_scrape(); }); },
                    [this] { return loop_->watch(events_->fd(), [this] { drain_events(); }); },
                    [this] { return loop_->every(kTick, [this] { tick(); }); },
                    [this] { return loop_->every(config_.smoothing.tick, [this] { smooth(); }); },
                    [this] { return loop_->every(kResync, [this] { resync(); }); },
                    [this] { return feed_watchdog(*loop_); });
}

Result<void> Daemon::run() {
    exchange_->set_status({.ready = true, .reason = ""});
    spdlog::info("plimsoll {}: watching {} containers, events by {}", PLIMSOLL_VERSION,
                 registry_->shown().size(), scope_->uses_ringbuf() ? "ring buffer" : "perf buffers");
    for (const auto port : web_->ports()) {
        spdlog::info("listening on port {}", port);
    }
    sd_notify(0, "READY=1");
    auto done = loop_->run();
    sd_notify(0, "STOPPING=1");
    return done;
}

void Daemon::drain_events() {
    events_->drain();
    tell_probes();
}

void Daemon::tell_probes() {
    if (registry_->is_watching() == watching_) {
        return;
    }
    watching_ = !watching_;
    for (const auto& running : probes_) {
        if (!running.up) {
            continue;
        }
        if (auto told = running.probe->watching(watching_); !told) {
            spdlog::error("probe {}: {}", running.probe->name(), told.error().message);
        }
    }
}

void Daemon::on_record(std::span<const std::byte> record) {
    const auto header = event_counts_.accept(record);
    if (!header) {
        return;
    }
    const std::uint64_t now = boot_time_ns();
    if (header->kind == EVENT_cgroup_birth || header->kind == EVENT_cgroup_death) {
        cgroup_event event{};
        std::memcpy(&event, record.data(), std::min(record.size(), sizeof(event)));
        const std::size_t room = std::min(record.size(), sizeof(event)) - offsetof(cgroup_event, path);
        event.path_size = static_cast<std::uint32_t>(std::min<std::size_t>(event.path_size, room));
        header->kind == EVENT_cgroup_birth ? watcher_->on_birth(event, now) : watcher_->on_death(event, now);
    } else if (header->kind == EVENT_moved) {
        moved_ = true;
    }
    for (const auto& running : probes_) {
        if (running.up) {
            running.probe->on_event({*header, record});
        }
    }
}

void Daemon::tick() {
    drain_events();
    const std::uint64_t now = boot_time_ns();
    registry_->tick(now);
    if ((moved_ || registry_->needs_visit()) && now - last_visit_ns_ >= kVisitPauseNs) {
        visit_tasks();
    }
    if (now - refreshed_ns_ >= kRoundNs) {
        refreshed_ns_ = now;
        refresh_names(now);
    }
}

void Daemon::forget(Handle handle) {
    for (const auto& running : probes_) {
        running.probe->forget(handle);
    }
}

void Daemon::visit_tasks() {
    moved_ = false;
    last_visit_ns_ = boot_time_ns();
    registry_->visited();
    if (auto visited = scope_->visit_tasks(); !visited) {
        spdlog::warn("{}", visited.error().message);
    }
}

void Daemon::resync() {
    if (auto walked = watcher_->begin_resync(boot_time_ns()); !walked) {
        spdlog::warn("{}", walked.error().message);
        return;
    }
    drain_events();
    watcher_->finish_resync(boot_time_ns());
}

/// Each container in its turn, so that many of them never hold the loop up; and those that have no name yet.
void Daemon::refresh_names(std::uint64_t now_ns) {
    rounds_++;
    registry_->refresh([&](const Watched& watched, Container& container) {
        const bool turn = watched.handle % kRefreshTurns == rounds_ % kRefreshTurns;
        const bool nameless = container.name.empty() && now_ns - watched.since_ns < kNamePatienceNs;
        return (turn || nameless) && selector_.refresh(container);
    });
}

void Daemon::answer_scrape() {
    if (exchange_->take_pending()) {
        exchange_->publish(take_snapshot());
    }
}

}  // namespace plimsoll
