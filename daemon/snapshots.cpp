// SPDX-License-Identifier: Apache-2.0
// The part of the daemon that turns what is known into a snapshot.
#include "core/clock.h"
#include "daemon.h"
#include "kernel/programs.h"

namespace plimsoll {

const MetricSpec kContainerInfo{
    "container_info",
    MetricType::gauge,
    "",
    "runtime, container_id, pod_uid, and label_… for the runtime's labels that containers.labels names",
    "Always 1; what else is known of the container. Join by id.",
    "cgroup path and the runtime's own files"};

std::shared_ptr<const Snapshot> Daemon::take_snapshot() {
    drain_events();
    registry_->tick(boot_time_ns());
    // The v1 freezer stops threads where they sleep, without an event.
    if (moved_ || registry_->needs_visit() || layout_.with_controller("freezer") != nullptr) {
        visit_tasks();
    }
    auto snapshot = std::make_shared<Snapshot>();
    const auto shown = registry_->shown();
    std::vector<SampledContainer> containers;
    for (const auto* watched : shown) {
        containers.push_back(
            {static_cast<std::uint32_t>(containers.size()), watched->handle, watched->slots});
        snapshot->containers.push_back(watched->rendered.labels);
    }
    SampleWriter writer(*snapshot);
    write_info(writer, shown);
    for (const auto& running : probes_) {
        if (!running.up) {
            continue;
        }
        const std::uint64_t began = boot_time_ns();
        running.probe->sample({boot_time_ns(), containers}, writer);
        self_.set("plimsoll_probe_sample_seconds", static_cast<double>(boot_time_ns() - began) / 1e9,
                  {{"probe", std::string(running.probe->name())}});
    }
    update_self_metrics();
    snapshot->self = self_.collect();
    return snapshot;
}

void Daemon::write_info(SampleWriter& writer, const std::vector<const Watched*>& shown) const {
    writer.family(kContainerInfo);
    for (std::uint32_t index = 0; index < shown.size(); index++) {
        writer.add(index, writer.kept(shown[index]->rendered.info), Number::count(1));
    }
}

void Daemon::update_self_metrics() {
    for (std::size_t kind = 0; kind < EVENT_KINDS; kind++) {
        self_.set("plimsoll_events_total", static_cast<double>(event_counts_.count(kind)),
                  {{"kind", std::string(kEventKinds[kind])}});
    }
    self_.set("plimsoll_events_lost_total", static_cast<double>(scope_->events_lost()));
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
