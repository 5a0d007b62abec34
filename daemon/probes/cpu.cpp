// SPDX-License-Identifier: Apache-2.0
// CPU time and CPU limits, under cAdvisor's names and with its meanings.
#include <unistd.h>

#include <array>

#include "probes/cgroup_probe.h"
#include "probes/shared_families.h"

namespace plimsoll {

namespace {

struct Series {
    enum : std::uint8_t {
        usage,
        user,
        system,
        periods,
        throttled_periods,
        throttled_time,
        burst_periods,
        burst_time,
        spec_period,
        spec_quota,
        spec_shares,
        count
    };
};

constexpr std::string_view kQuotaOnly = "v1 cpu.stat, v2 cpu.stat; only while the container has a CPU quota";

constexpr std::array<MetricSpec, Series::count> kMetrics{{
    kCpuUsage,
    {"container_cpu_user_seconds_total", MetricType::counter, "seconds", "",
     "CPU time that the container has used in user mode.", "v1 cpuacct.stat, else v2 cpu.stat user_usec"},
    {"container_cpu_system_seconds_total", MetricType::counter, "seconds", "",
     "CPU time that the container has used in the kernel.", "v1 cpuacct.stat, else v2 cpu.stat system_usec"},
    {"container_cpu_cfs_periods_total", MetricType::counter, "", "",
     "Periods of the CPU quota in which the container had something to run.", kQuotaOnly},
    {"container_cpu_cfs_throttled_periods_total", MetricType::counter, "", "",
     "Periods in which the container used up its CPU quota and was throttled.", kQuotaOnly},
    {"container_cpu_cfs_throttled_seconds_total", MetricType::counter, "seconds", "",
     "Time that the container was throttled, summed over CPUs.", kQuotaOnly},
    {"container_cpu_cfs_burst_periods_total", MetricType::counter, "", "",
     "Periods in which the container used quota saved in earlier ones.", kQuotaOnly},
    {"container_cpu_cfs_burst_seconds_total", MetricType::counter, "seconds", "",
     "CPU time that the container used beyond its quota out of what it had saved.", kQuotaOnly},
    {"container_spec_cpu_period", MetricType::gauge, "", "", "Period of the CPU quota, in microseconds.",
     "v1 cpu.cfs_period_us, v2 cpu.max"},
    {"container_spec_cpu_quota", MetricType::gauge, "", "",
     "CPU time that the container may use in each period, in microseconds; absent when it is unlimited.",
     "v1 cpu.cfs_quota_us, v2 cpu.max"},
    {"container_spec_cpu_shares", MetricType::gauge, "", "",
     "Weight of the container when CPUs are short; 1024 is the default of cgroup v1.",
     "v1 cpu.shares; v2 cpu.weight, of which 1 to 10000 become 2 to 262144"},
}};

constexpr auto kTable = [] {
    using enum Number::Kind;
    std::array<FileSeries, Series::count> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        const bool time = kMetrics[i].unit == "seconds";
        table[i] = {i, i == Series::usage ? kTotalCpu : std::string_view(), time ? nanoseconds : integer};
    }
    return table;
}();

constexpr std::uint64_t kNsPerUs = 1000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

/// Who tells the CPU time. Once chosen it stays so: the accounts began at different moments.
enum class Source : std::uint8_t { none, v1, v2 };

struct CpuState {
    CgroupDirectory cpuacct, cpu, v2;
    KeptFd usage, times, cfs, stat;
    Source source = Source::none;
};

class CpuProbe : public CgroupProbe<CpuState, Series::count> {
  public:
    CpuProbe() : CgroupProbe(kTable) {}
    [[nodiscard]] std::string_view name() const override { return "cpu"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }

  private:
    void find_hierarchies(const CgroupLayout& layout) override {
        cpuacct_ = layout.with_controller("cpuacct");
        cpu_ = layout.with_controller("cpu");
        v2_ = unified(layout);
    }
    void ended(CpuState& state) override {
        const Source source = state.source;
        state = {};
        state.source = source;
    }
    bool holds_in_rest(const CpuState& state) const override {
        return !reader().may_have_new_limits(cpu_ != nullptr ? state.cpu : state.v2);
    }

    bool read(const SampledContainer& container, const SampleContext&, CpuState& state,
              Values& values) override {
        const CgroupName cgroup = name_of(container);
        const Source before = state.source;
        if (before != Source::v2 && read_usage_v1(cgroup, state, values)) {
            state.source = Source::v1;
        }
        const bool limited = !state.cpuacct.gone() && read_limits_v1(cgroup, state, values);
        if (state.cpuacct.gone() || state.cpu.gone()) {
            return false;
        }
        if (state.source != Source::v1 || cpu_ == nullptr) {
            read_v2(cgroup, state, values);
        }
        const bool used = values.has(Series::usage);
        return !state.v2.gone() && (used || before == Source::none) &&
               (used || limited || reader().alive(cgroup));
    }

    bool read_usage_v1(CgroupName cgroup, CpuState& state, Values& values);
    bool read_limits_v1(CgroupName cgroup, CpuState& state, Values& values);
    void read_v2(CgroupName cgroup, CpuState& state, Values& values);
    void read_limits_v2(CgroupName cgroup, CpuState& state, Values& values);
    static void read_stat(std::string_view text, bool with_usage, Values& values);

    const CgroupHierarchy* cpuacct_ = nullptr;
    const CgroupHierarchy* cpu_ = nullptr;
    const CgroupHierarchy* v2_ = nullptr;
    std::uint64_t tick_ns_ = kNsPerSecond / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
};

bool CpuProbe::read_usage_v1(CgroupName cgroup, CpuState& state, Values& values) {
    const auto usage = reader().first(cpuacct_, cgroup, state.cpuacct, "cpuacct.usage", &state.usage);
    if (!usage) {
        return false;
    }
    put(values, Series::usage, parse_number(*usage));
    auto times = reader().next(*cpuacct_, cgroup, state.cpuacct, "cpuacct.stat", &state.times);
    while (const auto line = times ? take_keyed(*times) : std::nullopt) {
        if (line->key == "user") {
            put(values, Series::user, scaled(line->value, tick_ns_));
        } else if (line->key == "system") {
            put(values, Series::system, scaled(line->value, tick_ns_));
        }
    }
    return values.has(Series::usage);
}

bool CpuProbe::read_limits_v1(CgroupName cgroup, CpuState& state, Values& values) {
    const auto shares = reader().first(cpu_, cgroup, state.cpu, "cpu.shares", nullptr);
    if (!shares) {
        return false;
    }
    put(values, Series::spec_shares, parse_number(*shares));
    const auto number = [](std::optional<std::string_view> text) {
        return text ? parse_number(*text) : std::nullopt;
    };
    const auto limit = [&](const char* file) {
        return number(reader().limit(*cpu_, cgroup, state.cpu, file));
    };
    const auto below = number(reader().limit_below(*cpu_, cgroup, state.cpu, "cpu.cfs_quota_us"));
    const auto quota = below ? below : limit("cpu.cfs_quota_us");  // -1, no number of ours: none
    put(values, Series::spec_period,
        below ? number(reader().next(*cpu_, cgroup, state.cpu, "container/cpu.cfs_period_us"))
              : limit("cpu.cfs_period_us"));
    if (quota.value_or(0) != 0) {
        values.set(Series::spec_quota, *quota);
        const auto text = below ? reader().next(*cpu_, cgroup, state.cpu, "container/cpu.stat")
                                : reader().next(*cpu_, cgroup, state.cpu, "cpu.stat", &state.cfs);
        read_stat(text.value_or(""), false, values);
    }
    return true;
}

void CpuProbe::read_v2(CgroupName cgroup, CpuState& state, Values& values) {
    const auto text = reader().first(v2_, cgroup, state.v2, "cpu.stat", &state.stat);
    if (!text) {
        return;
    }
    const bool with_usage = state.source != Source::v1;
    read_stat(*text, with_usage, values);
    if (with_usage && values.has(Series::usage)) {
        state.source = Source::v2;
    }
    read_limits_v2(cgroup, state, values);
    if (!values.has(Series::spec_quota)) {
        for (std::size_t series = Series::periods; series <= Series::burst_time; ++series) {
            values.unset(series);
        }
    }
}

void CpuProbe::read_limits_v2(CgroupName cgroup, CpuState& state, Values& values) {
    if (cpu_ != nullptr) {
        return;  // the controller is a v1 hierarchy's
    }
    const auto below = reader().limit_below(*v2_, cgroup, state.v2, "cpu.max");
    const auto text = below ? below : reader().limit(*v2_, cgroup, state.v2, "cpu.max");
    if (const auto max = text ? parse_cpu_max(*text) : std::nullopt) {
        values.set(Series::spec_period, max->period_us);
        if (max->quota_us != UINT64_MAX && max->quota_us != 0) {
            values.set(Series::spec_quota, max->quota_us);
        }
    }
    if (below) {  // throttling is told where the quota is
        read_stat(reader().next(*v2_, cgroup, state.v2, "container/cpu.stat").value_or(""), false, values);
    }
    const auto weight_text = reader().limit(*v2_, cgroup, state.v2, "cpu.weight");
    const auto weight = weight_text ? parse_number(*weight_text) : std::nullopt;
    if (weight && *weight >= 1 && *weight <= 10000) {
        values.set(Series::spec_shares, 2 + (*weight - 1) * 262142 / 9999);
    }
}

/// Times are nanoseconds in v1's cpu.stat (…_time) and microseconds in v2's (…_usec).
void CpuProbe::read_stat(std::string_view text, bool with_usage, Values& values) {
    struct Field {
        std::string_view key;
        std::uint8_t series;
        std::uint64_t scale;
    };
    static constexpr Field kFields[] = {
        {"usage_usec", Series::usage, kNsPerUs},        {"user_usec", Series::user, kNsPerUs},
        {"system_usec", Series::system, kNsPerUs},      {"nr_periods", Series::periods, 1},
        {"nr_throttled", Series::throttled_periods, 1}, {"throttled_usec", Series::throttled_time, kNsPerUs},
        {"throttled_time", Series::throttled_time, 1},  {"nr_bursts", Series::burst_periods, 1},
        {"burst_usec", Series::burst_time, kNsPerUs},   {"burst_time", Series::burst_time, 1}};
    while (const auto line = take_keyed(text)) {
        for (const Field& field : kFields) {
            if (field.key == line->key && (with_usage || field.series >= Series::periods)) {
                put(values, field.series, scaled(line->value, field.scale));
            }
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_cpu_probe() {
    return std::make_unique<CpuProbe>();
}

}  // namespace plimsoll
