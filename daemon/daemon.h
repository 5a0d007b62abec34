// SPDX-License-Identifier: Apache-2.0
// The agent: wires kernel side, registry, probes and web server to one loop. Member order is lifetime order.
// Everything but the web server's own threads runs on the thread that calls run().
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "config/config.h"
#include "containers/cgroup_tree.h"
#include "containers/groups.h"
#include "containers/registry.h"
#include "containers/selector.h"
#include "containers/watcher.h"
#include "core/error.h"
#include "event_counts.h"
#include "exposition/snapshot_exchange.h"
#include "exposition/web_server.h"
#include "files/container_process.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "loop/event_loop.h"
#include "probes/probe.h"
#include "self_metrics.h"

namespace plimsoll {

class Daemon {
  public:
    /// Everything up to the first snapshot. An error is one sentence that says what is wrong and what to do.
    static Result<std::unique_ptr<Daemon>> start(const Config& config);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Serves until SIGTERM or SIGINT.
    Result<void> run();

  private:
    explicit Daemon(const Config& config);

    Result<void> start_web();
    Result<void> start_kernel_side();
    Result<void> start_probes();
    Result<void> start_watching();
    Result<void> schedule();

    void drain_events();
    void on_record(std::span<const std::byte> record);
    void tell_probes();
    void tick();
    void forget(Handle handle);
    void smooth();
    std::span<const SampledContainer> sampled_containers();
    std::span<const SampledContainer> sampled_groups();
    void resync();
    void visit_tasks();
    void refresh_names(std::uint64_t now_ns);

    void answer_scrape();
    std::shared_ptr<const Snapshot> take_snapshot();
    void write_identity(SampleWriter& writer, std::uint64_t now, std::uint64_t unix_now) const;
    void update_self_metrics();
    void update_program_metrics(const bpf_object* object);

    Config config_;
    Selector selector_;
    std::vector<Glob> info_labels_;
    CgroupLayout layout_;
    SelfMetrics self_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<SnapshotExchange> exchange_;
    UniqueFd program_stats_;
    std::unique_ptr<KernelTypes> types_;
    std::unique_ptr<Scope> scope_;
    std::unique_ptr<DescriptorBudget> descriptors_;
    std::unique_ptr<ContainerProcesses> processes_;
    struct RunningProbe {
        std::unique_ptr<Probe> probe;
        bool up = false;
    };
    std::vector<RunningProbe> probes_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Watcher> watcher_;
    std::unique_ptr<Groups> groups_;
    /// What probes are asked about: the registry's containers, then the groups; valid for one revision of it.
    std::vector<const Watched*> shown_;
    std::vector<SampledContainer> containers_, group_samples_;
    std::uint64_t sampled_revision_ = UINT64_MAX, grouped_revision_ = UINT64_MAX;
    std::uint64_t refreshed_ns_ = 0;
    std::uint64_t smoothed_ns_ = 0;
    std::unique_ptr<EventChannel> events_;
    EventCounts event_counts_;
    bool moved_ = false;
    bool watching_ = false;  ///< what the probes were told last
    std::uint64_t last_visit_ns_ = 0;
    std::uint64_t rounds_ = 0;
    std::unique_ptr<WebServer> web_;
};

/// The families about a container itself, which no probe declares.
std::span<const MetricSpec> identity_metrics();

}  // namespace plimsoll
