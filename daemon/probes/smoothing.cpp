// SPDX-License-Identifier: Apache-2.0
// Smoothed gauges of CPU use and of waiting for a CPU, from the ledger's accounts.
#include "core/smoothing.h"

#include <array>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/cpu_smoother.h"
#include "probes/probe.h"

namespace plimsoll {

namespace {

constexpr std::string_view kWindow = "window (as in smoothing.windows, in s or ms)";
constexpr std::string_view kAccounts = "the ledger's accounts, at every smoothing.tick";

struct Family {
    enum : std::uint8_t { usage, usage_peak, wait, wait_peak, count };
};

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_cpu_usage_cores", MetricType::gauge, "cores", kWindow,
     "CPUs that the container's threads kept busy, averaged with the window as time constant.", kAccounts},
    {"container_cpu_usage_cores_peak", MetricType::gauge, "", kWindow,
     "The same over one tick, the highest within the window.", kAccounts},
    {"container_cpu_wait_cores", MetricType::gauge, "cores", kWindow,
     "Threads of the container that wanted a CPU and had none, averaged with the window as time constant.",
     kAccounts},
    {"container_cpu_wait_cores_peak", MetricType::gauge, "", kWindow,
     "The same over one tick, the highest within the window.", kAccounts},
}};

/// The window as a label: in seconds, or in milliseconds where that is no whole number.
std::string window_fragment(std::chrono::nanoseconds window) {
    using std::chrono::milliseconds;
    const auto ms = std::chrono::duration_cast<milliseconds>(window).count();
    return "window=\"" + (ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms") +
           "\"";
}

class SmoothingProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "smoothing"; }
    [[nodiscard]] std::string_view method() const override { return "ledger"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes&) const override { return {}; }

    Result<void> start(const ProbeContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void tick(const SampleContext& context) override;
    void fold(std::uint32_t slot, Handle heir) override { smoother_->fold(slot, heir); }
    void forget(Handle container) override {
        if (smoother_) {
            smoother_->forget(container);
        }
    }

  private:
    struct Row {
        std::uint32_t container;
        const CpuSmoothing* smoothing;
    };

    void look(const SampledContainer& container) {
        smoother_->look(container.handle, container.slots, scope_->ledger_time(container.since_ns));
    }
    void write(SampleWriter& writer, std::size_t family, Cores (CpuSmoothing::*figure)(std::size_t) const,
               double Cores::* member) const;

    const Scope* scope_ = nullptr;
    std::optional<CpuSmoother> smoother_;
    std::vector<std::string> fragments_;  // by index of the window
    bool ticked_ = false;
    std::vector<Row> rows_;
};

Result<void> SmoothingProbe::start(const ProbeContext& context) {
    if (!context.scope.is_booking()) {
        return fail(
            "the smoothing needs the ledger probe, which is switched off (probes.ledger.enabled) or could "
            "not start");
    }
    scope_ = &context.scope;
    std::vector<std::uint64_t> windows;
    for (const auto window : context.config.smoothing.windows) {
        windows.push_back(static_cast<std::uint64_t>(window.count()));
        fragments_.push_back(window_fragment(window));
    }
    smoother_.emplace(
        std::move(windows),
        CpuSmoother::Source{.accounts = [this](std::uint32_t slot) { return scope_->slot_accounts(slot); },
                            .now_ns = [this] { return scope_->ledger_time(boot_time_ns()); }});
    return {};
}

void SmoothingProbe::tick(const SampleContext& context) {
    const std::uint64_t now = scope_->ledger_time(context.now_ns);
    for (const auto& container : context.containers) {
        if (!container.ended) {
            look(container);
        }
    }
    smoother_->ticked(now);
    ticked_ = true;
}

/// The values are those of the last tick, so that a scrape does not change them; but a container that no tick
/// has seen yet is looked at now, so that it has them from the beginning.
void SmoothingProbe::sample(const SampleContext& context, SampleWriter& writer) {
    if (!ticked_) {
        tick(context);
    }
    rows_.clear();
    for (const auto& container : context.containers) {
        if (container.ended) {
            continue;
        }
        const CpuSmoothing* smoothing = smoother_->find(container.handle);
        if (smoothing == nullptr) {
            look(container);
            smoothing = smoother_->find(container.handle);
        }
        if (smoothing != nullptr) {
            rows_.push_back({container.index, smoothing});
        }
    }
    write(writer, Family::usage, &CpuSmoothing::average, &Cores::usage);
    write(writer, Family::usage_peak, &CpuSmoothing::peak, &Cores::usage);
    write(writer, Family::wait, &CpuSmoothing::average, &Cores::wait);
    write(writer, Family::wait_peak, &CpuSmoothing::peak, &Cores::wait);
}

void SmoothingProbe::write(SampleWriter& writer, std::size_t family,
                           Cores (CpuSmoothing::*figure)(std::size_t) const, double Cores::* member) const {
    writer.family(kMetrics[family], rows_.size() * fragments_.size());
    for (const auto& row : rows_) {
        for (std::size_t window = 0; window < fragments_.size(); window++) {
            writer.add(row.container, fragments_[window],
                       Number::value((row.smoothing->*figure)(window).*member));
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_smoothing_probe() {
    return std::make_unique<SmoothingProbe>();
}

}  // namespace plimsoll
