// SPDX-License-Identifier: Apache-2.0
// The contract of a probe: one source of numbers. A probe = bpf/probes/X.bpf.c (none for a reader of kernel
// files), daemon/probes/X.cpp with make_X_probe(), one line in list.inc, and its test. It knows slots, never
// names, labels or HTTP. All calls come from the loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "containers/cgroup_tree.h"
#include "core/error.h"
#include "core/metric.h"
#include "core/rest_watch.h"
#include "core/slot_sums.h"
#include "exposition/sample_writer.h"
#include "files/descriptors.h"
#include "kernel/features.h"
#include "kernel/scope.h"
#include "shared/events.h"

namespace plimsoll {

class ContainerProcesses;

/// A container, or a group of them, at the moment of a sample.
struct SampledContainer {
    std::uint32_t index;  ///< in the snapshot
    Handle handle;
    std::span<const std::uint32_t> slots;  ///< none for a group
    std::string_view cgroup;               ///< path below the hierarchy's root
    std::uint64_t cgroup_id;  ///< changes when a cgroup of the same path is made anew; 0: no cgroup
    std::uint64_t since_ns;   ///< CLOCK_BOOTTIME of its birth
    // What a person calls it, for who talks to it. g++ misses initializers that are left out.
    std::string name{};       // NOLINT(readability-redundant-member-init)
    bool found_late = false;  ///< not watched from its birth on: its sockets may be older
    bool ended =
        false;  ///< its cgroup is gone; its last counters stay on the page for a while, gauges do not
    Rest rest = kNoRest;                            ///< that it is in, when its threads do nothing
    std::optional<std::size_t> pod = std::nullopt;  ///< its Kubernetes pod's index in SampleContext::groups
};

struct SampleContext {
    std::uint64_t now_ns;  ///< CLOCK_BOOTTIME, taken before anything is read
    std::span<const SampledContainer> containers;
    /// The cgroups around containers (the root, slices, pods): for what the kernel's files tell only.
    std::span<const SampledContainer> groups;
};

/// One event: its checked header and the whole record, which is at least as large as its kind needs.
struct EventView {
    event_header header;
    std::span<const std::byte> record;
};

struct ProbeContext {
    Scope& scope;
    const KernelTypes& types;
    const CgroupLayout& layout;
    const Config& config;
    DescriptorBudget* descriptors =
        nullptr;  ///< what readers of files may keep open, all together; null: nothing
    ContainerProcesses* processes = nullptr;  ///< null where nothing will be sampled
};

class Probe {
  public:
    virtual ~Probe() = default;
    [[nodiscard]] virtual std::string_view name() const = 0;
    /// How it gets its numbers: label `method` of plimsoll_probe_info. The kind of its hooks, "files", or the
    /// probe whose numbers it reads.
    [[nodiscard]] virtual std::string_view method() const = 0;
    /// Declared once; HELP, TYPE and docs/metrics.md come from here. Static storage.
    [[nodiscard]] virtual std::span<const MetricSpec> metrics() const = 0;
    /// The kernel hooks it needs, as libbpf section names ("tp_btf/sched_switch"); for `plimsoll check`. None
    /// for a reader of kernel files.
    [[nodiscard]] virtual std::vector<std::string> hooks(const KernelTypes& types) const = 0;

    /// What it costs whom, where that is more than a container's own events: for `plimsoll check`, once it
    /// has started.
    [[nodiscard]] virtual std::string_view cost() const { return {}; }

    /// Opens, configures, loads, attaches. Called once; after an error the probe is not used again.
    virtual Result<void> start(const ProbeContext& context) = 0;
    /// The configuration has been read again. What has changed of a probe's own part is in here only if
    /// is_restarted_for() does not say so (daemon/reload.cpp).
    virtual void reconfigure(const Config&) {}
    /// Whether there is anything to watch, told whenever that changes, and not before the first container.
    /// For probes with hooks that cost whole the machine: they attach them here and not in start().
    virtual Result<void> watching(bool) { return {}; }
    /// Writes every family it declares, for every container. Called at each scrape.
    virtual void sample(const SampleContext& context, SampleWriter& writer) = 0;
    /// Adds to families that others declare what those have nothing for (SampleWriter::supplement). Called
    /// after every probe's sample().
    virtual void supply(const SampleContext&, SampleWriter&) {}
    /// The smoothing's tick: every `smoothing.tick`, later when the loop is busy. Without groups.
    virtual void tick(const SampleContext&) {}
    virtual void on_event(const EventView&) {}
    /// A slot has drained: what it gained goes to `heir` (0: nobody), and it starts from here.
    virtual void fold(std::uint32_t, Handle) {}
    /// A container or group is gone from the page.
    virtual void forget(Handle container) = 0;

    /// Its kernel programs, for run-time and miss counters; null when there are none.
    [[nodiscard]] virtual bpf_object* object() const { return nullptr; }
    /// A check of its own numbers, in seconds; 0 when there is nothing to check.
    [[nodiscard]] virtual double residual_seconds() const { return 0; }
};

#define PLIMSOLL_PROBE(name) std::unique_ptr<Probe> make_##name##_probe();
#include "probes/list.inc"
#undef PLIMSOLL_PROBE

/// One of each line of list.inc, in that order.
std::vector<std::unique_ptr<Probe>> make_probes();

}  // namespace plimsoll
