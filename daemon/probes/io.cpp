// SPDX-License-Identifier: Apache-2.0
// Calls that read and write, by kind of file: bytes, operations, errors, times.
#include <algorithm>
#include <array>
#include <bit>

#include "config/names.h"
#include "core/clock.h"
#include "kernel/mapped_array.h"
#include "probes/io_programs.h"
#include "probes/io_requests.h"
#include "probes/kernel_probe.h"
#include "shared/io.h"

#include "io.skel.h"

namespace plimsoll {

namespace {

constexpr std::string_view kHooks = "tp_btf/sys_enter, tp_btf/sys_exit; or fentry and fexit of the calls";
constexpr std::string_view kLabels =
    "class (file, block, inet, unix, netlink, pipe, tty, other), direction (read, write)";

struct Family {
    enum : std::uint8_t { bytes, operations, errors, seconds, count };
};

constexpr std::array<MetricSpec, Family::count> kCallMetrics{{
    {"container_io_bytes_total", MetricType::counter, "bytes", kLabels,
     "Bytes that calls of the container have read and written, by the kind of file.", kHooks},
    {"container_io_operations_total", MetricType::counter, "", kLabels,
     "Calls of the container that have read or written, also 0 bytes, by the kind of file.", kHooks},
    {"container_io_errors_total", MetricType::counter, "", kLabels,
     "Calls of the container that failed to read or write. To find nothing yet (EAGAIN) or to be interrupted "
     "is no failure.",
     kHooks},
    {"container_io_seconds", MetricType::histogram, "seconds", kLabels,
     "How long calls of the container took to read or write.", kHooks},
}};

constexpr auto kMetrics = [] {
    std::array<MetricSpec, kCallMetrics.size() + kIoRequestMetrics.size()> all{};
    std::ranges::copy(kIoRequestMetrics, std::ranges::copy(kCallMetrics, all.begin()).out);
    return all;
}();

/// By cell.
constexpr std::array<std::string_view, IO_CELLS> kFragments{
    R"(class="file",direction="read")",    R"(class="file",direction="write")",
    R"(class="block",direction="read")",   R"(class="block",direction="write")",
    R"(class="inet",direction="read")",    R"(class="inet",direction="write")",
    R"(class="unix",direction="read")",    R"(class="unix",direction="write")",
    R"(class="netlink",direction="read")", R"(class="netlink",direction="write")",
    R"(class="pipe",direction="read")",    R"(class="pipe",direction="write")",
    R"(class="tty",direction="read")",     R"(class="tty",direction="write")",
    R"(class="other",direction="read")",   R"(class="other",direction="write")",
};

/// What a slot has in all its copies.
template <typename Account>
Account add_copies(std::span<const Account> copies) {
    Account sum{};
    auto* to = reinterpret_cast<__u64*>(&sum);
    for (const Account& copy : copies) {
        const auto* from = reinterpret_cast<const __u64*>(&copy);
        for (std::size_t i = 0; i < sizeof(Account) / sizeof(__u64); i++) {
            to[i] += from[i];
        }
    }
    return sum;
}

/// Everything that is kept of a slot.
struct IoSums {
    io_account counts;
    io_times times;
};

class IoProbe : public KernelProbe<io_bpf> {
  public:
    IoProbe() : KernelProbe("io", kMetrics) {}
    [[nodiscard]] std::string_view method() const override { return to_string(method_); }
    [[nodiscard]] std::string_view cost() const override {
        return method_ == IoMethod::fentry
                   ? "by fentry: only calls that read and write pay"
                   : "by the hooks of all system calls: each one of the machine pays, while a container is "
                     "watched (docs/overhead.md)";
    }

    Result<void> start(const ProbeContext& context) override;
    Result<void> watching(bool any) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override {
        sums_.fold(slot, heir);
        requests_.fold(slot, heir);
    }
    void forget(Handle container) override {
        sums_.forget(container);
        requests_.forget(container);
    }

  private:
    struct Row {
        std::uint32_t container;
        IoSums sums;
    };

    Result<void> start_by(IoMethod method, const ProbeContext& context);
    void choose_programs(const io_bpf& skeleton, const KernelTypes& types) const override;
    void configure(const ProbeContext& context) override;
    Result<void> load() override;
    Result<void> map_arrays() override;
    Result<void> attach_programs(Links& links) override;
    [[nodiscard]] IoSums read_slot(std::uint32_t slot) const;
    template <typename Write>
    void write_family(SampleWriter& writer, std::size_t family, Write write) const;

    IoMethod method_ = IoMethod::automatic;
    bool latency_ = true;
    std::uint32_t copies_ = 1;  // of each slot's account
    MappedArray<io_account> counts_;
    MappedArray<io_times> times_;
    SlotSums<IoSums> sums_{[this](std::uint32_t slot) { return read_slot(slot); }};
    IoRequests requests_;
    std::vector<Row> rows_;
};

/// Before it is known by which method: the programs of the one that works on every kernel.
void IoProbe::choose_programs(const io_bpf& skeleton, const KernelTypes& types) const {
    const IoMethod method = method_ == IoMethod::automatic ? IoMethod::syscalls : method_;
    choose_io_programs(skeleton, method, latency_, types);
}

void IoProbe::configure(const ProbeContext& context) {
    const std::uint32_t slots = context.scope.slot_count(), cpus = context.scope.cpu_count();
    copies_ = std::min<std::uint32_t>(std::bit_ceil(cpus), IO_MAX_COPIES);
    skeleton().rodata->io_latency = latency_;
    skeleton().rodata->io_account_mask = copies_ - 1;
    // A program that is attached to a function can be interrupted by another thread of its CPU in another
    // one.
    skeleton().rodata->io_copies_shared = cpus > copies_ || method_ == IoMethod::fentry;
    bpf_map__set_max_entries(skeleton().maps.io_accounts, slots * copies_);
    bpf_map__set_max_entries(skeleton().maps.io_times, latency_ ? slots * copies_ : 1);
    bpf_map__set_max_entries(skeleton().maps.io_request_accounts, slots);
}

/// The first way that works, or why none does.
Result<void> IoProbe::start(const ProbeContext& context) {
    latency_ = context.config.io.latency;
    Result<void> started;
    for (const IoMethod method : io_methods(context.config.io.method)) {
        started = start_by(method, context);
        if (started) {
            return started;
        }
        started = std::unexpected(started.error().in("method " + std::string(to_string(method))));
    }
    return started;
}

Result<void> IoProbe::start_by(IoMethod method, const ProbeContext& context) {
    method_ = method;
    if (const auto missing = io_method_missing(method, context.types); !missing.empty()) {
        return fail("this kernel has no " + missing);
    }
    auto started = KernelProbe::start(context);
    if (!started || method != IoMethod::fentry) {
        detach();  // that it can be attached is known now, and not when the first container comes
    }
    return started;
}

Result<void> IoProbe::load() {
    auto loaded = KernelProbe::load();
    if (!loaded && method_ == IoMethod::fentry) {
        return fail(
            "refused by the kernel, which may allow no programs at its functions; `syscalls` works on every "
            "kernel");
    }
    return loaded;
}

Result<void> IoProbe::map_arrays() {
    const auto& maps = skeleton().maps;
    return in_order([&] { return map_into(counts_, maps.io_accounts); },
                    [&] { return requests_.open(maps.io_request_accounts, maps.io_requests); },
                    [&] { return latency_ ? map_into(times_, maps.io_times) : Result<void>(); });
}

/// Programs at functions stay: dozens of them take their time, and only calls that read and write pay for
/// them.
Result<void> IoProbe::watching(bool any) {
    if (method_ == IoMethod::fentry) {
        return {};
    }
    detach();
    return any ? attach() : Result<void>();
}

Result<void> IoProbe::attach_programs(Links& links) {
    skeleton().bss->io_attached_ns = boot_time_ns();
    return KernelProbe::attach_programs(links);
}

IoSums IoProbe::read_slot(std::uint32_t slot) const {
    const std::size_t first = std::size_t{slot} * copies_;
    IoSums sums{};
    sums.counts = add_copies(counts_.elements(first, copies_));
    if (latency_) {
        sums.times = add_copies(times_.elements(first, copies_));
    }
    return sums;
}

/// A class appears, in both directions, when the container first uses it.
template <typename Write>
void IoProbe::write_family(SampleWriter& writer, std::size_t family, Write write) const {
    writer.family(kMetrics[family], rows_.size() * IO_DIRECTIONS);
    for (const Row& row : rows_) {
        const auto is_used = [&](std::size_t cell) {
            return row.sums.counts.cells[cell].operations != 0 || row.sums.counts.cells[cell].errors != 0;
        };
        for (std::size_t cell = 0; cell < IO_CELLS; cell++) {
            if (is_used(cell) || is_used(cell ^ 1U)) {
                write(row, cell);
            }
        }
    }
}

void IoProbe::sample(const SampleContext& context, SampleWriter& writer) {
    rows_.clear();
    for (const auto& container : context.containers) {
        rows_.push_back({container.index, sums_.sum(container.handle, container.slots)});
    }
    const auto write_counts = [&](std::size_t family, auto member) {
        write_family(writer, family, [&](const Row& row, std::size_t cell) {
            writer.add(row.container, kFragments[cell], Number::count(row.sums.counts.cells[cell].*member));
        });
    };
    write_counts(Family::bytes, &io_counts::bytes);
    write_counts(Family::operations, &io_counts::operations);
    write_counts(Family::errors, &io_counts::errors);
    if (latency_) {
        write_family(writer, Family::seconds, [&](const Row& row, std::size_t cell) {
            const io_time& time = row.sums.times.cells[cell];
            writer.histogram(row.container, kFragments[cell], time.buckets, time.sum_ns);
        });
    }
    requests_.sample(context, writer, latency_);
    counts_.release_unread();
    times_.release_unread();
}

}  // namespace

std::unique_ptr<Probe> make_io_probe() {
    return std::make_unique<IoProbe>();
}

}  // namespace plimsoll
