// SPDX-License-Identifier: Apache-2.0
// The agent: wires kernel side, registry, probes and web server to one loop. Member order is lifetime order.
// Everything but the web server's own threads runs on the thread that calls run().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/load.h"
#include "containers/cgroup_tree.h"
#include "containers/connection_rules.h"
#include "containers/groups.h"
#include "containers/registry.h"
#include "containers/selector.h"
#include "containers/watcher.h"
#include "core/error.h"
#include "event_counts.h"
#include "exposition/snapshot_exchange.h"
#include "exposition/web_server.h"
#include "files/container_process.h"
#include "kernel/connection_hook.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "loop/event_loop.h"
#include "probes/probe.h"
#include "self_metrics.h"

namespace plimsoll {

/// All that people have written for the agent.
struct Settings {
    Config config;
    PolicyPtr web;  ///< what config.web.config_file asks for
    FileStamps web_files;
};

class Daemon {
  public:
    using ReadSettings = std::function<std::expected<Settings, ConfigErrors>()>;
    /// Everything up to the first snapshot. An error is one sentence that says what is wrong and what to do.
    /// `read_again`: the settings as they are by then, asked for at each SIGHUP.
    static Result<std::unique_ptr<Daemon>> start(const Settings& settings, ReadSettings read_again);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Serves until SIGTERM or SIGINT.
    Result<void> run();

  private:
    struct RunningProbe {
        std::unique_ptr<Probe> probe;
        bool up = false;
        [[nodiscard]] std::string_view name() const { return probe->name(); }
    };
    struct NextProbe {
        std::string name;
        std::optional<RunningProbe> started;  ///< none: it goes on as it is
    };

    Daemon(const Settings& settings, ReadSettings read_again);
    void set_info_labels();

    Result<void> start_web();
    Result<void> start_kernel_side();
    Result<void> start_connection_rules();
    Result<void> start_probes();
    Result<void> start_watching();
    Result<void> schedule();
    void lower_privileges();

    void drain_events();
    void on_record(std::span<const std::byte> record);
    std::optional<Container> select(const FoundCgroup& found);
    Result<void> find_connections();
    void on_connection_record(std::span<const std::byte> record);
    void on_connection(const FoundConnection& connection);
    void prune_connections();
    void tell_probes();
    void tell_probe(const RunningProbe& running);
    void tick();
    void forget(Handle handle);
    void smooth();
    std::span<const SampledContainer> sampled_containers();
    std::span<const SampledContainer> sampled_groups();
    void resync();
    void visit_tasks();
    void refresh_names(std::uint64_t now_ns);

    void reload();
    void note_reload(bool successful);
    void note_web(bool successful);
    Result<void> apply(const Settings& settings);
    void select_again();
    void look_at_web_files();
    Result<void> serve(const std::vector<std::string>& listen, const PolicyPtr& policy);
    Result<std::vector<NextProbe>> start_wanted(const Config& next);
    Result<RunningProbe> start_probe(std::unique_ptr<Probe> probe, const Config& config);
    void replace_probes(std::vector<NextProbe> next);
    Result<void> know_kernel_types();
    void forget_kernel_types();
    void count_program_time();

    void look_for_rest(std::uint64_t now);
    void answer_scrape();
    std::shared_ptr<const Snapshot> take_snapshot();
    void write_identity(SampleWriter& writer, std::uint64_t now, std::uint64_t unix_now) const;
    void update_self_metrics();
    void update_program_metrics(const bpf_object* object);

    Config config_;
    PolicyPtr policy_;  ///< of the web server
    PolicyWatch policy_watch_;
    ReadSettings read_again_;
    bool config_in_force_ = true, web_in_force_ = true;  ///< what was read last
    Result<void> outcome_;                               ///< of run(), when something stops it
    int smoothing_timer_ = -1;
    Selector selector_;
    std::vector<Glob> info_labels_;
    CgroupLayout layout_;
    SelfMetrics self_;
    std::unique_ptr<EventLoop> loop_;
    std::unique_ptr<SnapshotExchange> exchange_;
    UniqueFd program_stats_;
    std::unique_ptr<KernelTypes> types_;
    std::unique_ptr<Scope> scope_;
    std::unique_ptr<ConnectionHook> connection_hook_;  ///< these two only if a rule has connects_to
    std::unique_ptr<ConnectionRules> connection_rules_;
    std::unique_ptr<DescriptorBudget> kept_directories_, kept_files_, kept_processes_;
    std::unique_ptr<ContainerProcesses> processes_;
    std::vector<RunningProbe> probes_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<Watcher> watcher_;
    std::unique_ptr<Groups> groups_;
    /// What probes are asked about: the registry's containers, then the groups; valid for one revision of it.
    std::vector<const Watched*> shown_;
    std::vector<SampledContainer> containers_, group_samples_;
    RestWatch rests_{[this](std::uint32_t slot) { return scope_->slot_accounts(slot); }};
    std::uint64_t sampled_revision_ = UINT64_MAX, grouped_revision_ = UINT64_MAX;
    std::uint64_t refreshed_ns_ = 0;
    std::uint64_t smoothed_ns_ = 0;
    std::unique_ptr<EventChannel> events_;
    EventCounts event_counts_;
    bool moved_ = false;
    bool visit_now_ = false;     ///< threads without a record are about to do what should be counted
    bool told_of_root_ = false;  ///< once is enough
    bool watching_ = false;      ///< what the probes were told last
    std::uint64_t last_visit_ns_ = 0;
    std::uint64_t rounds_ = 0;
    std::unique_ptr<WebServer> web_;
};

/// Says what the web server asks of its clients, if anything.
void log_policy(const WebPolicy& policy);

/// How many containers and newborn cgroups there may be at a time.
Registry::Limits daemon_limits(const Config& config);

/// The families about a container itself, which no probe declares.
std::span<const MetricSpec> identity_metrics();

}  // namespace plimsoll
