// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that asks the probes: for the smoothing and for a snapshot.
#include "core/clock.h"
#include "daemon.h"
#include "exposition/page_limit.h"
#include "kernel/programs.h"

namespace plimsoll {

namespace {

enum : std::uint8_t { kInfo, kStart, kSeen };

constexpr std::array<MetricSpec, 3> kIdentity{{
    {"container_info", MetricType::gauge, "",
     "runtime, container_id, pod_uid, and label_… for the runtime's labels that containers.labels names",
     "Always 1; what else is known of the container. Join by id.", "cgroup path and the runtime's own files"},
    {"container_start_time_seconds", MetricType::gauge, "seconds", "",
     "When the container began, in seconds since the epoch.",
     "tp_btf/cgroup_mkdir; for one older than the agent, starttime of its oldest process in /proc/PID/stat"},
    {"container_last_seen", MetricType::gauge, "", "",
     "When the container was last seen alive, in seconds since the epoch.", "cgroup tree"},
}};

}  // namespace

std::span<const MetricSpec> identity_metrics() {
    return kIdentity;
}

/// Newborn containers first: their first interval begins at their birth.
void Daemon::smooth() {
    drain_events();
    smoothed_ns_ = boot_time_ns();
    const SampleContext context{boot_time_ns(), sampled_containers(), {}};
    for (const auto& running : probes_) {
        if (running.up) {
            running.probe->tick(context);
        }
    }
}

std::span<const SampledContainer> Daemon::sampled_containers() {
    if (sampled_revision_ != registry_->revision()) {
        sampled_revision_ = registry_->revision();
        shown_ = registry_->shown();
        containers_.clear();
        for (const auto* watched : shown_) {
            containers_.push_back({.index = static_cast<std::uint32_t>(containers_.size()),
                                   .handle = watched->handle,
                                   .slots = watched->slots,
                                   .cgroup = watched->container.cgroup,
                                   .cgroup_id = watched->cgroup_id,
                                   .since_ns = watched->since_ns,
                                   .name = display_name(watched->container),
                                   .found_late = watched->found_late,
                                   .ended = watched->ended_ns.has_value()});
        }
    }
    return containers_;
}

/// Looking for groups costs more than a tick of the smoothing should, which needs none.
std::span<const SampledContainer> Daemon::sampled_groups() {
    sampled_containers();
    if (grouped_revision_ != sampled_revision_) {
        grouped_revision_ = sampled_revision_;
        groups_->update(shown_);
        for (SampledContainer& container : containers_) {
            container.pod = groups_->pod_of(shown_[container.index]->container);
        }
        group_samples_.clear();
        for (const auto& group : groups_->all()) {
            group_samples_.push_back(
                {.index = static_cast<std::uint32_t>(containers_.size() + group_samples_.size()),
                 .handle = group.handle,
                 .slots = {},
                 .cgroup = group.cgroup,
                 .cgroup_id = group.cgroup_id,
                 .since_ns = 0});
        }
    }
    return group_samples_;
}

/// Before anything is read.
void Daemon::look_for_rest(std::uint64_t now) {
    rests_.begin(now);
    for (SampledContainer& container : containers_) {
        const bool known = scope_->is_booking() && !container.ended;
        container.rest = known ? rests_.of(container.handle, container.slots) : kNoRest;
    }
}

void Daemon::answer_scrape() {
    if (exchange_->take_pending()) {
        exchange_->publish(take_snapshot());
    }
}

std::shared_ptr<const Snapshot> Daemon::take_snapshot() {
    drain_events();
    registry_->tick(boot_time_ns());
    // On a host that leaves the loop no CPU a scrape may be served before a tick that is due.
    if (boot_time_ns() - smoothed_ns_ >= static_cast<std::uint64_t>(config_.smoothing.tick.count())) {
        smooth();
    }
    // The v1 freezer stops threads where they sleep, without an event.
    if (moved_ || registry_->needs_visit() || layout_.with_controller("freezer") != nullptr) {
        visit_tasks();
    }
    auto snapshot = std::make_shared<Snapshot>();
    const std::uint64_t now = boot_time_ns();
    snapshot->taken_unix_ns = unix_time_ns(now);
    const auto groups = sampled_groups(), containers = sampled_containers();
    look_for_rest(now);
    for (const auto* watched : shown_) {
        snapshot->containers.push_back(watched->rendered.labels);
    }
    for (const auto& group : groups_->all()) {
        snapshot->containers.push_back(group.labels);
    }
    SampleWriter writer(*snapshot);
    write_identity(writer, now, snapshot->taken_unix_ns);
    for (const auto& running : probes_) {
        if (!running.up) {
            continue;
        }
        const std::uint64_t began = boot_time_ns();
        running.probe->sample({boot_time_ns(), containers, groups}, writer);
        self_.set("plimsoll_probe_sample_seconds", static_cast<double>(boot_time_ns() - began) / 1e9,
                  {{"probe", std::string(running.probe->name())}});
    }
    for (const auto& running : probes_) {
        if (running.up) {
            running.probe->supply({boot_time_ns(), containers, groups}, writer);
        }
    }
    processes_->end_sample();
    scope_->end_sample();
    update_self_metrics();
    self_.set("plimsoll_scrape_containers_left_out",
              static_cast<double>(leave_out_largest(*snapshot, page_limit(config_.containers.max))));
    snapshot->self = self_.collect();
    return snapshot;
}

void Daemon::write_identity(SampleWriter& writer, std::uint64_t now, std::uint64_t unix_now) const {
    writer.family(kIdentity[kInfo], shown_.size());
    for (std::uint32_t index = 0; index < shown_.size(); index++) {
        writer.add(index, writer.kept(shown_[index]->rendered.info), Number::count(1));
    }
    writer.family(kIdentity[kStart], shown_.size());
    for (std::uint32_t index = 0; index < shown_.size(); index++) {
        if (shown_[index]->cgroup_id != 0) {
            writer.add(index, {}, Number::nanoseconds(shown_[index]->started_unix_ns));
        }
    }
    writer.family(kIdentity[kSeen], shown_.size());
    for (std::uint32_t index = 0; index < shown_.size(); index++) {
        writer.add(index, {}, Number::nanoseconds(unix_now - now + shown_[index]->ended_ns.value_or(now)));
    }
}

void Daemon::update_self_metrics() {
    for (std::size_t kind = 0; kind < EVENT_KINDS; kind++) {
        self_.set("plimsoll_events_total", static_cast<double>(event_counts_.count(kind)),
                  {{"kind", std::string(kEventKinds[kind])}});
    }
    self_.set("plimsoll_events_lost_total",
              static_cast<double>(scope_->events_lost() + event_counts_.malformed()));
    const auto live = registry_->live_by_runtime();
    for (const auto runtime :
         {Runtime::docker, Runtime::containerd, Runtime::crio, Runtime::podman, Runtime::kubernetes,
          Runtime::lxc, Runtime::nspawn, Runtime::systemd, Runtime::cgroup}) {
        const auto found = live.find(runtime);
        self_.set("plimsoll_containers", found == live.end() ? 0 : static_cast<double>(found->second),
                  {{"runtime", std::string(to_string(runtime))}});
    }
    self_.set("plimsoll_containers_added_total", static_cast<double>(registry_->added()));
    self_.set("plimsoll_containers_removed_total", static_cast<double>(registry_->removed()));
    self_.set("plimsoll_containers_overflow", static_cast<double>(registry_->overflowing()));
    self_.set("plimsoll_cgroup_resync_corrections_total", static_cast<double>(watcher_->corrections()));
    constexpr std::array<const char*, FAILURE_COUNT> kPlaces{
#define PLIMSOLL_FAILURE_NAME(name) #name,
        PLIMSOLL_FAILURE_PLACES(PLIMSOLL_FAILURE_NAME)
#undef PLIMSOLL_FAILURE_NAME
    };
    const auto failures = scope_->failures();
    for (std::size_t place = 0; place < failures.size(); place++) {
        self_.set("plimsoll_kernel_failures_total", static_cast<double>(failures[place]),
                  {{"probe", "scope"}, {"place", kPlaces[place]}});
    }
    double residual = 0;
    update_program_metrics(scope_->object());
    if (connection_hook_) {
        update_program_metrics(connection_hook_->object());
    }
    for (const auto& running : probes_) {
        if (running.up) {
            residual = std::max(residual, running.probe->residual_seconds());
            update_program_metrics(running.probe->object());
        }
    }
    self_.set("plimsoll_ledger_residual_seconds", residual);
    const ScrapeStats& last = web_->last_scrape();
    self_.set("plimsoll_scrape_duration_seconds", static_cast<double>(last.duration_ns.load()) / 1e9);
    self_.set("plimsoll_scrape_series", static_cast<double>(last.series.load()));
    self_.set("plimsoll_scrape_bytes", static_cast<double>(last.bytes.load()));
    self_.update_process();
}

void Daemon::update_program_metrics(const bpf_object* object) {
    for (const auto& program : program_stats(object)) {
        const SelfMetrics::Labels labels{{"program", program.name}};
        self_.set("plimsoll_program_misses_total", static_cast<double>(program.misses), labels);
        if (program_stats_) {
            self_.set("plimsoll_program_runs_total", static_cast<double>(program.runs), labels);
            self_.set("plimsoll_program_run_seconds_total", static_cast<double>(program.run_ns) / 1e9,
                      labels);
        }
    }
}

}  // namespace plimsoll
