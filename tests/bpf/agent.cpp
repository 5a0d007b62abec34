// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <stdexcept>

#include "config/connection_address.h"
#include "core/clock.h"
#include "core/ledger.h"

namespace plimsoll::bpf_test {

namespace {

constexpr std::uint64_t kHour = 3'600'000'000'000;

template <typename T>
T value_or_throw(Result<T> result) {
    if (!result) {
        throw std::runtime_error(result.error().message);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

Config::Containers configuration(const CgroupTree& tree, const Agent::Options& options) {
    Config::Containers containers;
    containers.discover.clear();
    containers.cgroups.push_back({tree.root() + "/c*", std::nullopt});
    containers.cgroups.push_back({tree.root() + "/domain/c*", std::nullopt});
    for (const auto& address : options.connects_to) {
        containers.include.emplace_back().connects_to = address;
    }
    if (!options.exclude.empty()) {
        containers.exclude.emplace_back().name = options.exclude;
    }
    return containers;
}

}  // namespace

const Sample* Reading::find(const Cgroup& cgroup, std::string_view family, std::string_view label) const {
    const auto path = std::ranges::find(paths, cgroup.path);
    for (const auto& candidate : snapshot.families) {
        if (path == paths.end() || candidate.spec->name != family) {
            continue;
        }
        for (const auto& sample : candidate.samples) {
            if (sample.container == path - paths.begin() && sample.fragment == label) {
                return &sample;
            }
        }
    }
    return nullptr;
}

std::uint64_t Reading::value(const Cgroup& cgroup, std::string_view family, std::string_view label) const {
    const Sample* sample = find(cgroup, family, label);
    return sample == nullptr ? 0 : sample->value.integer;
}

std::uint64_t Reading::state_ns(const Cgroup& cgroup, std::string_view state) const {
    return value(cgroup, "container_thread_seconds_total", "state=\"" + std::string(state) + "\"");
}

std::uint64_t Reading::in_state(const Cgroup& cgroup, std::string_view state) const {
    return value(cgroup, "container_thread_states", "state=\"" + std::string(state) + "\"");
}

std::uint64_t Reading::lifetime_ns(const Cgroup& cgroup) const {
    return value(cgroup, "container_thread_lifetime_seconds_total");
}

std::uint64_t Reading::sum_ns(const Cgroup& cgroup) const {
    std::uint64_t sum = 0;
    for (const auto state : kStateNames) {
        sum += state_ns(cgroup, state);
    }
    return sum;
}

const HistogramValue* Reading::histogram(const Cgroup& cgroup, std::string_view family,
                                         std::string_view label) const {
    const Sample* sample = find(cgroup, family, label);
    return sample == nullptr ? nullptr : &snapshot.histograms.at(sample->value.integer);
}

std::string Reading::states(const Cgroup& cgroup) const {
    std::string text = cgroup.path + ": " + std::to_string(threads(cgroup)) + " threads";
    for (const auto state : kStateNames) {
        if (state_ns(cgroup, state) != 0 || in_state(cgroup, state) != 0) {
            text += ", " + std::string(state) + " " + std::to_string(in_state(cgroup, state)) + " (" +
                    std::to_string(state_ns(cgroup, state)) + " ns)";
        }
    }
    return text;
}

Agent::Agent(const CgroupTree& tree, Options options)
    : selector_(configuration(tree, options)), layout_(tree.layout()), config_(default_config()) {
    config_.io.method = IoMethod::syscalls;  // fifty programs less to load; tests of that probe try both ways
    if (options.configure) {
        options.configure(config_);
    }
    types = std::make_unique<KernelTypes>(value_or_throw(KernelTypes::load()));
    const Registry::Limits limits{options.max, options.provisional, kHour};
    ScopeOptions scope_options;
    scope_options.slots = Registry::slots_needed(limits);
    scope_options.provisional = limits.provisional;
    scope_options.channel = options.channel;
    scope_options.peers = options.ledger && config_.probes.at("peer").enabled;
    scope = value_or_throw(Scope::load(scope_options, *types));
    registry = std::make_unique<Registry>(*scope, limits, callbacks());
    watcher = std::make_unique<Watcher>(*registry, *scope, tree.layout());
    if (options.before_probes) {
        options.before_probes();
    }
    const auto targets = connection_targets(configuration(tree, options));
    if (!targets.empty()) {
        connection_hook =
            value_or_throw(ConnectionHook::attach(*scope, *types, targets, id_of(layout_, "/").value()));
    }
    for (auto& probe : make_probes()) {
        const bool of_ledger =
            probe->name() == "ledger" || probe->name() == "smoothing" || probe->name() == "peer";
        if (probe->method() == "files" || (of_ledger && !options.ledger)) {
            continue;
        }
        value_or_throw(probe->start({*scope, *types, layout_, config_}));
        probes.push_back(std::move(probe));
    }
    channel_ =
        value_or_throw(scope->open_events([this](std::span<const std::byte> record) { on_record(record); }));
    value_or_throw(scope->attach());  // perf buffers lose what is sent before they are open
    value_or_throw(watcher->seed(boot_time_ns()));
    drain();
    if (connection_hook) {
        connection_hook->arm();
        for (const auto& meeting : value_or_throw(connection_hook->existing())) {
            on_connection({meeting.cgroup_id, meeting.target});
        }
    }
    tell_probes();
    registry->visited();
    value_or_throw(scope->visit_tasks());
    value_or_throw(scope->visit_tasks());
}

void Agent::tell_probes() {
    if (registry->is_watching() != watching_) {
        watching_ = !watching_;
        for (const auto& probe : probes) {
            value_or_throw(probe->watching(watching_));
        }
    }
}

Registry::Callbacks Agent::callbacks() {
    return {.select = [this](const FoundCgroup& found) { return connection_rules_.select(found); },
            .render = [](const Container&) { return RenderedLabels{}; },
            .born = [](const std::string&) { return std::nullopt; },
            .fold =
                [this](std::uint32_t slot, Handle heir) {
                    for (const auto& probe : probes) {
                        probe->fold(slot, heir);
                    }
                },
            .forget =
                [this](Handle handle) {
                    for (const auto& probe : probes) {
                        probe->forget(handle);
                    }
                }};
}

void Agent::on_connection(const FoundConnection& connection) {
    connection_rules_.on_connection(*registry, connection, boot_time_ns());
}

void Agent::on_record(std::span<const std::byte> record) {
    const auto header = event_counts.accept(record);
    if (!header || deaf_) {
        return;
    }
    Event event{*header, {}};
    if (header->kind == EVENT_cgroup_birth || header->kind == EVENT_cgroup_death) {
        cgroup_event cgroup{};
        std::memcpy(&cgroup, record.data(), std::min(record.size(), sizeof(cgroup)));
        header->kind == EVENT_cgroup_birth ? watcher->on_birth(cgroup, boot_time_ns())
                                           : watcher->on_death(cgroup, boot_time_ns());
    } else if (header->kind == EVENT_moved) {
        moved_ = true;
    } else if (header->kind == EVENT_connection) {
        connection_event connection{};
        std::memcpy(&connection, record.data(), sizeof(connection));
        on_connection({header->cgroup_id, connection.target, header->slot});
    } else {
        std::memcpy(&event.process, record.data(), sizeof(event.process));
    }
    events.push_back(event);
}

void Agent::settle(std::uint64_t later_ns) {
    drain();
    tell_probes();
    registry->tick(boot_time_ns() + later_ns);
    if (moved_ || registry->needs_visit()) {
        moved_ = false;
        registry->visited();
        value_or_throw(scope->visit_tasks());
    }
}

Reading Agent::read() {
    settle();
    Reading reading;
    std::vector<SampledContainer> containers;
    for (const auto* watched : registry->shown()) {
        containers.push_back({.index = static_cast<std::uint32_t>(containers.size()),
                              .handle = watched->handle,
                              .slots = watched->slots,
                              .cgroup = watched->container.cgroup,
                              .cgroup_id = watched->cgroup_id,
                              .since_ns = watched->since_ns});
        reading.paths.push_back(watched->container.cgroup);
    }
    SampleWriter writer(reading.snapshot);
    reading.now_ns = boot_time_ns();
    for (const auto& probe : probes) {
        probe->sample({reading.now_ns, containers, {}}, writer);
    }
    reading.end_ns = boot_time_ns();
    return reading;
}

void Agent::resync() {
    value_or_throw(watcher->begin_resync(boot_time_ns()));
    drain();
    watcher->finish_resync(boot_time_ns());
}

const Watched* Agent::find(const Cgroup& cgroup) const {
    for (const auto* watched : registry->shown()) {
        if (watched->container.cgroup == cgroup.path) {
            return watched;
        }
    }
    return nullptr;
}

bool Agent::has_drained() const {
    return std::ranges::all_of(registry->shown(), [](const Watched* watched) {
        return watched->slots.size() == (watched->ended_ns ? 0 : 1);
    });
}

std::size_t Agent::count(plimsoll_event_kind kind, const Cgroup& cgroup) const {
    return static_cast<std::size_t>(std::ranges::count_if(events, [&](const Event& event) {
        return event.header.kind == static_cast<std::uint32_t>(kind) && event.header.cgroup_id == cgroup.id;
    }));
}

std::vector<std::uint32_t> Agent::program_ids() const {
    std::vector<std::uint32_t> ids;
    std::vector<bpf_object*> objects{scope->object()};
    for (const auto& probe : probes) {
        if (probe->object() != nullptr) {  // a reader of files has none
            objects.push_back(probe->object());
        }
    }
    for (auto* object : objects) {
        bpf_program* program = nullptr;
        bpf_object__for_each_program(program, object) {
            bpf_prog_info info{};
            __u32 size = sizeof(info);
            const int fd = bpf_program__fd(program);
            if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
                ids.push_back(info.id);
            }
        }
    }
    return ids;
}

}  // namespace plimsoll::bpf_test
