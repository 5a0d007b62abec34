// SPDX-License-Identifier: Apache-2.0
// Memory by kind, faults, reclaim and limits, under cAdvisor's names and with its meanings.
#include "probes/memory.h"

#include <algorithm>

#include "probes/cgroup_probe.h"

namespace plimsoll {

namespace {

using Fields = std::span<const MemoryField>;
using M = MemorySeries;

/// A key may fill several series; each may have several keys, which are added up.
constexpr MemoryField kStatV1[] = {{"total_cache", M::cache},
                                   {"total_rss", M::rss},
                                   {"total_mapped_file", M::mapped_file},
                                   {"total_dirty", M::file_dirty},
                                   {"total_writeback", M::file_writeback},
                                   {"total_swap", M::swap},
                                   {"total_inactive_file", M::inactive_file},
                                   {"total_active_file", M::active_file},
                                   {"total_workingset_refault_anon", M::refault_anon},
                                   {"total_workingset_refault_file", M::refault_file},
                                   {"pgfault", M::faults_container},
                                   {"pgmajfault", M::major_faults_container},
                                   {"total_pgfault", M::faults_hierarchy},
                                   {"total_pgmajfault", M::major_faults_hierarchy}};
constexpr MemoryField kStatV2[] = {{"anon", M::rss},
                                   {"file", M::cache},
                                   {"kernel", M::kernel},
                                   {"file_mapped", M::mapped_file},
                                   {"file_dirty", M::file_dirty},
                                   {"file_writeback", M::file_writeback},
                                   {"inactive_file", M::inactive_file},
                                   {"active_file", M::active_file},
                                   {"workingset_refault_anon", M::refault_anon},
                                   {"workingset_refault_file", M::refault_file},
                                   {"pgscan", M::scanned},
                                   {"pgsteal", M::stolen},
                                   {"pgfault", M::faults_container},
                                   {"pgfault", M::faults_hierarchy},
                                   {"pgmajfault", M::major_faults_container},
                                   {"pgmajfault", M::major_faults_hierarchy}};
// "max" is how often the limit was hit, which is what v1's failcnt says.
constexpr MemoryField kEventsV2[] = {{"high", M::events_high}, {"max", M::events_max}, {"max", M::failcnt}};
constexpr MemoryField kMeminfo[] = {{"Cached", M::cache},
                                    {"Buffers", M::cache},
                                    {"SwapCached", M::cache},
                                    {"AnonPages", M::rss},
                                    {"Mapped", M::mapped_file},
                                    {"Dirty", M::file_dirty},
                                    {"Writeback", M::file_writeback},
                                    {"Active(file)", M::active_file},
                                    {"Inactive(file)", M::inactive_file},
                                    {"MemTotal", M::spec_limit},
                                    {"SwapTotal", M::spec_swap_limit},
                                    {"SwapTotal", M::swap}};
constexpr MemoryField kVmstat[] = {{"pgfault", M::faults_container},
                                   {"pgfault", M::faults_hierarchy},
                                   {"pgmajfault", M::major_faults_container},
                                   {"pgmajfault", M::major_faults_hierarchy},
                                   {"pgscan_kswapd", M::scanned},
                                   {"pgscan_direct", M::scanned},
                                   {"pgscan_khugepaged", M::scanned},
                                   {"pgscan_proactive", M::scanned},
                                   {"pgsteal_kswapd", M::stolen},
                                   {"pgsteal_direct", M::stolen},
                                   {"pgsteal_khugepaged", M::stolen},
                                   {"pgsteal_proactive", M::stolen},
                                   {"workingset_refault_anon", M::refault_anon},
                                   {"workingset_refault_file", M::refault_file}};

/// Beyond this it is cAdvisor's "unlimited", which is written as 0.
constexpr std::uint64_t kUnlimited = std::uint64_t{1} << 62;

struct MemoryState {
    CgroupDirectory directory;
    KeptFd usage, stat, swap, events, peak, failures, kernel;
};

class MemoryProbe : public CgroupProbe<MemoryState, M::count> {
  public:
    MemoryProbe() : CgroupProbe(kMemoryTable) {}
    [[nodiscard]] std::string_view name() const override { return "memory"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMemoryMetrics; }

  private:
    void find_hierarchies(const CgroupLayout& layout) override {
        v1_ = layout.with_controller("memory");
        hierarchy_ = v1_ != nullptr ? v1_ : unified(layout);
    }
    void ended(MemoryState& state) override { state = {}; }

    bool read(const SampledContainer& container, const SampleContext&, MemoryState& state,
              Values& values) override {
        if (is_root(container)) {
            read_machine(values);
            return true;
        }
        const CgroupName cgroup = name_of(container);
        const bool known = v1_ != nullptr ? read_v1(cgroup, state, values) : read_v2(cgroup, state, values);
        derive(values);
        return known || (!state.directory.gone() && reader().alive(cgroup));
    }

    bool read_v1(CgroupName cgroup, MemoryState& state, Values& values);
    bool read_v2(CgroupName cgroup, MemoryState& state, Values& values);
    void read_machine(Values& values);

    using Take = std::optional<KeyedNumber>(std::string_view&);
    static void read_fields(std::optional<std::string_view> text, Fields fields, Values& values,
                            Take take = take_keyed);
    static void derive(Values& values);

    const CgroupHierarchy* v1_ = nullptr;
    const CgroupHierarchy* hierarchy_ = nullptr;
};

/// Files come with their keys in one order, so a key is looked for from where the last one was.
void MemoryProbe::read_fields(std::optional<std::string_view> text, Fields fields, Values& values,
                              Take take) {
    while (const auto line = text ? take(*text) : std::nullopt) {
        for (const MemoryField& field : fields) {
            if (field.key == line->key) {
                const std::uint64_t before = values.has(field.series) ? values[field.series] : 0;
                values.set(field.series, before + line->value);
            }
        }
    }
}

void MemoryProbe::derive(Values& values) {
    if (values.has(M::usage)) {
        const std::uint64_t idle = values.has(M::inactive_file) ? values[M::inactive_file] : 0;
        values.set(M::working_set, values[M::usage] - std::min(values[M::usage], idle));
    }
    for (const std::size_t limit : {M::spec_limit, M::spec_swap_limit, M::spec_reservation}) {
        if (values.has(limit) && values[limit] > kUnlimited) {
            values.set(limit, 0);
        }
    }
}

bool MemoryProbe::read_v1(CgroupName cgroup, MemoryState& state, Values& values) {
    const auto usage = reader().first(v1_, cgroup, state.directory, "memory.usage_in_bytes", &state.usage);
    if (!usage) {
        return false;
    }
    put(values, M::usage, parse_number(*usage));
    read_fields(reader().next(*v1_, cgroup, state.directory, "memory.stat", &state.stat), kStatV1, values);
    const auto single = [&](std::size_t series, const char* file, KeptFd& kept) {
        const auto text = reader().next(*v1_, cgroup, state.directory, file, &kept);
        put(values, series, text ? parse_number(*text) : std::nullopt);
    };
    single(M::max_usage, "memory.max_usage_in_bytes", state.peak);
    single(M::failcnt, "memory.failcnt", state.failures);
    if (const auto below = reader().below(*v1_, cgroup, state.directory, "memory.failcnt");
        below && values.has(M::failcnt)) {  // each cgroup tells of its own limit only
        values.set(M::failcnt, values[M::failcnt] + parse_number(*below).value_or(0));
    }
    single(M::kernel, "memory.kmem.usage_in_bytes", state.kernel);
    const auto limit = [&](std::size_t series, const char* file) {
        const auto below = reader().limit_below(*v1_, cgroup, state.directory, file);
        auto bytes = below ? parse_number(*below) : std::nullopt;
        if (!bytes || *bytes > kUnlimited) {
            const auto text = reader().limit(*v1_, cgroup, state.directory, file);
            bytes = text ? parse_number(*text) : std::nullopt;
        }
        put(values, series, bytes);
    };
    limit(M::spec_limit, "memory.limit_in_bytes");
    limit(M::spec_swap_limit, "memory.memsw.limit_in_bytes");
    limit(M::spec_reservation, "memory.soft_limit_in_bytes");
    return true;
}

bool MemoryProbe::read_v2(CgroupName cgroup, MemoryState& state, Values& values) {
    const auto usage = reader().first(hierarchy_, cgroup, state.directory, "memory.current", &state.usage);
    if (!usage) {
        return false;
    }
    put(values, M::usage, parse_number(*usage));
    const auto next = [&](const char* file, KeptFd& kept) {
        return reader().next(*hierarchy_, cgroup, state.directory, file, &kept);
    };
    read_fields(next("memory.stat", state.stat), kStatV2, values);
    read_fields(next("memory.events", state.events), kEventsV2, values);
    const auto put_limit = [&](std::size_t series, std::optional<std::string_view> text) {
        put(values, series, text ? parse_limit(*text) : std::nullopt);
    };
    put_limit(M::swap, next("memory.swap.current", state.swap));
    put_limit(M::max_usage, next("memory.peak", state.peak));
    const auto limit = [&](const char* file) {
        return reader().limit(*hierarchy_, cgroup, state.directory, file);
    };
    const auto limit_below = [&](const char* file) {
        const auto below = reader().limit_below(*hierarchy_, cgroup, state.directory, file);
        return below ? below : limit(file);
    };
    put_limit(M::spec_limit, limit_below("memory.max"));
    put_limit(M::spec_swap_limit, limit_below("memory.swap.max"));
    put_limit(M::spec_reservation, limit("memory.min"));
    return true;
}

/// The root has no files in v2, and reading its memory.stat in v1 takes seconds on some hosts.
void MemoryProbe::read_machine(Values& values) {
    auto meminfo = reader().machine(proc() + "/meminfo");
    read_fields(meminfo, kMeminfo, values, take_machine);
    while (const auto line = meminfo ? take_machine(*meminfo) : std::nullopt) {
        if (line->key == "SwapFree" && values.has(M::swap)) {
            values.set(M::swap, values[M::swap] - std::min(values[M::swap], line->value));
        }
    }
    if (values.has(M::rss) && values.has(M::cache)) {
        values.set(M::usage, values[M::rss] + values[M::cache]);
    }
    read_fields(reader().machine(proc() + "/vmstat"), kVmstat, values, take_machine);
    derive(values);
}

}  // namespace

std::unique_ptr<Probe> make_memory_probe() {
    return std::make_unique<MemoryProbe>();
}

}  // namespace plimsoll
