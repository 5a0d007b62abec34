// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include <algorithm>

#include "containers/hierarchy_number.h"
#include "containers/start_time.h"
#include "core/clock.h"
#include "exposition/labels.h"
#include "files/memory_limit.h"
#include "kernel/privileges.h"
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
// A certificate is valid for weeks after it could have been replaced.
constexpr auto kLookAtWebFiles = seconds(1);
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

Registry::Limits daemon_limits(const Config& config) {
    // Newborn cgroups that can have a slot before the daemon has read their events: 2,560 births a second at
    // kTick.
    constexpr std::uint32_t kProvisionalSlots = 256;
    return {config.containers.max, kProvisionalSlots,
            static_cast<std::uint64_t>(config.containers.linger.count())};
}

Daemon::Daemon(const Settings& settings, ReadSettings read_again)
    : config_(settings.config),
      policy_(settings.web),
      read_again_(std::move(read_again)),
      selector_(config_.containers) {
    policy_watch_.reset(config_.web.config_file, settings.web_files);
    set_info_labels();
}

void Daemon::set_info_labels() {
    info_labels_.clear();
    for (const auto& pattern : config_.containers.labels) {
        info_labels_.emplace_back(pattern, GlobKind::text);
    }
}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(const Settings& settings, ReadSettings read_again) {
    std::unique_ptr<Daemon> daemon(new Daemon(settings, std::move(read_again)));
    const auto [files, directories, processes] =
        keepable_descriptors(raise_descriptor_limit(), settings.config.containers.max);
    daemon->kept_directories_ = std::make_unique<DescriptorBudget>(directories);
    daemon->kept_files_ = std::make_unique<DescriptorBudget>(files, daemon->kept_directories_.get());
    daemon->kept_processes_ = std::make_unique<DescriptorBudget>(processes);
    auto loop = EventLoop::create();
    if (!loop) {
        return std::unexpected(loop.error());
    }
    daemon->loop_ = std::make_unique<EventLoop>(std::move(*loop));
    const auto done =
        in_order([] { return forbid_new_privileges(); }, [&] { return daemon->start_web(); },
                 [&] { return daemon->start_kernel_side(); },
                 [&] { return daemon->start_connection_rules(); }, [&] { return daemon->start_probes(); },
                 [&] { return daemon->start_watching(); }, [&] { return daemon->schedule(); });
    if (!done) {
        return std::unexpected(done.error());
    }
    daemon->lower_privileges();
    return daemon;
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
    const Registry::Limits limits = daemon_limits(config_);
    if (auto enough = has_memory_for(Registry::slots_needed(limits), possible_cpus(), layout_); !enough) {
        return enough;
    }
    if (auto known = know_kernel_types(); !known) {
        return known;
    }
    ScopeOptions options;
    options.slots = Registry::slots_needed(limits);
    options.provisional = limits.provisional;
    options.cgroup_v2 = layout_.v2;
    options.controller = layout_.controller;
    options.channel = config_.events_channel;
    options.peers = config_.probes.at("peer").enabled;
    if (!layout_.v2) {
        const auto number = hierarchy_number(layout_.controller);
        if (!number) {
            return std::unexpected(number.error());
        }
        options.hierarchy_id = *number;
    }
    count_program_time();
    auto scope = Scope::load(options, *types_);
    if (!scope) {
        return std::unexpected(scope.error());
    }
    scope_ = std::move(*scope);
    registry_ = std::make_unique<Registry>(
        *scope_, limits,
        Registry::Callbacks{
            .select = [this](const FoundCgroup& found) { return select(found); },
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

void Daemon::count_program_time() {
    program_stats_.reset();
    if (!config_.self_bpf_stats) {
        return;
    }
    program_stats_ = enable_program_stats();
    if (!program_stats_) {
        spdlog::warn("self.bpf_stats: {}; the agent goes on without, CAP_SYS_ADMIN would allow it",
                     strerrordesc_np(errno));
    }
}

Result<void> Daemon::start_probes() {
    processes_ = std::make_unique<ContainerProcesses>(ProcessFinder(layout_), kept_processes_.get());
    auto probes = start_wanted(config_);
    forget_kernel_types();
    if (!probes) {
        return std::unexpected(probes.error());
    }
    replace_probes(std::move(*probes));
    note_reload(true);
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
    if (connection_hook_) {
        connection_hook_->arm();
    }
    if (auto seeded = watcher_->seed(boot_time_ns()); !seeded) {
        return seeded;
    }
    if (watcher_->unseen() != 0) {
        spdlog::warn("{} cgroups could not be looked at; containers in them appear later",
                     watcher_->unseen());
    }
    drain_events();
    if (auto found = find_connections(); !found) {
        return found;
    }
    registry_->visited();
    return in_order([this] { return scope_->visit_tasks(); }, [this] { return scope_->visit_tasks(); });
}

Result<void> Daemon::schedule() {
    self_.set("plimsoll_build_info", 1, {{"version", PLIMSOLL_VERSION}, {"compiler", __VERSION__}});
    take_snapshot();
    auto smoothing = loop_->timer(config_.smoothing.tick, [this] { smooth(); });
    if (!smoothing) {
        return std::unexpected(smoothing.error());
    }
    smoothing_timer_ = *smoothing;
    return in_order([this] { return loop_->watch(exchange_->fd(), [this] { answer_scrape(); }); },
                    [this] { return loop_->watch(events_->fd(), [this] { drain_events(); }); },
                    [this] { return loop_->every(kTick, [this] { tick(); }); },
                    [this] { return loop_->every(kResync, [this] { resync(); }); },
                    [this] { return loop_->every(kLookAtWebFiles, [this] { look_at_web_files(); }); },
                    [this] { return feed_watchdog(*loop_); });
}

/// What is in reserve is for a reload (reload.cpp); the web server's threads have none (web_server.cpp).
void Daemon::lower_privileges() {
    if (auto lowered = keep_needed_privileges(scope_->maps().begin()->second); !lowered) {
        spdlog::warn("{}; the agent goes on with more privileges than it needs", lowered.error().message);
    }
    for (const auto& held : held_capabilities()) {
        self_.set("plimsoll_capabilities", 1,
                  {{"capability", held.name}, {"set", held.effective ? "effective" : "permitted"}});
    }
}

Result<void> Daemon::run() {
    exchange_->set_status({.ready = true, .reason = ""});
    spdlog::info("plimsoll {}: watching {} containers, events by {}", PLIMSOLL_VERSION,
                 registry_->shown().size(), scope_->uses_ringbuf() ? "ring buffer" : "perf buffers");
    for (const auto port : web_->ports()) {
        spdlog::info("listening on port {}", port);
    }
    log_policy(*policy_);
    if (const int told = sd_notify(0, "READY=1"); told < 0) {
        spdlog::warn("the service manager cannot be told that the agent is ready (NOTIFY_SOCKET): {}",
                     strerrordesc_np(-told));
    }
    auto done = loop_->run();
    sd_notify(0, "STOPPING=1");
    return done ? outcome_ : done;
}

void Daemon::drain_events() {
    events_->drain();
    if (visit_now_) {
        visit_tasks();
    }
    tell_probes();
}

void Daemon::on_record(std::span<const std::byte> record) {
    const auto header = event_counts_.accept(record);
    if (!header) {
        return;
    }
    const std::uint64_t now = boot_time_ns();
    if (header->kind == EVENT_cgroup_birth || header->kind == EVENT_cgroup_death) {
        const auto event = cgroup_event_of(record);
        header->kind == EVENT_cgroup_birth ? watcher_->on_birth(event, now) : watcher_->on_death(event, now);
        if (connection_rules_ && header->kind == EVENT_cgroup_death) {
            connection_rules_->on_death(header->cgroup_id);
        }
    } else if (header->kind == EVENT_moved) {
        moved_ = true;
    } else if (header->kind == EVENT_connection) {
        on_connection_record(record);
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
    if (scope_->write_again()) {
        scope_->invalidate();
        moved_ = true;
    }
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
    rests_.forget(handle);
}

void Daemon::visit_tasks() {
    moved_ = visit_now_ = false;
    last_visit_ns_ = boot_time_ns();
    registry_->visited();
    if (auto visited = scope_->visit_tasks(); !visited) {
        spdlog::warn("{}", visited.error().message);
        moved_ = true;  // so it is tried again
    }
}

/// On a host with tens of thousands of cgroups this takes seconds, and scrapes come meanwhile.
void Daemon::resync() {
    const auto pause = [this] { answer_scrape(); };
    if (auto walked = watcher_->begin_resync(boot_time_ns(), pause); !walked) {
        spdlog::warn("{}", walked.error().message);
        return;
    }
    drain_events();
    watcher_->finish_resync(boot_time_ns(), pause);
    prune_connections();
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

}  // namespace plimsoll
