// SPDX-License-Identifier: Apache-2.0
// Calls that read and write, by kind of file: bytes, operations, errors, times.
#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "config/names.h"
#include "core/clock.h"
#include "kernel/mapped_array.h"
#include "kernel/programs.h"
#include "probes/io_programs.h"
#include "probes/io_requests.h"
#include "probes/probe.h"
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

class IoProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "io"; }
    [[nodiscard]] std::string_view method() const override { return to_string(method_); }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes& types) const override {
        const auto skeleton = open_skeleton<io_bpf>({});
        if (!skeleton) {
            return {};
        }
        choose_io_programs(**skeleton, IoMethod::syscalls, true, types);
        return program_sections((*skeleton)->obj);
    }
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
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }

  private:
    struct Row {
        std::uint32_t container;
        IoSums sums;
    };

    Result<void> attach();
    Result<void> start_by(IoMethod method, const ProbeContext& context);
    void configure(const ProbeContext& context);
    Result<void> map_accounts(std::uint32_t slots);
    [[nodiscard]] IoSums read_slot(std::uint32_t slot) const;
    template <typename Write>
    void write_family(SampleWriter& writer, std::size_t family, Write write) const;

    Skeleton<io_bpf> skeleton_;
    std::optional<Links> links_;  // empty while there is nothing to watch
    IoMethod method_ = IoMethod::automatic;
    bool latency_ = true;
    std::uint32_t copies_ = 1;  // of each slot's account
    MappedArray<io_account> counts_;
    MappedArray<io_times> times_;
    SlotSums<IoSums> sums_{[this](std::uint32_t slot) { return read_slot(slot); }};
    IoRequests requests_;
    std::vector<Row> rows_;
};

void IoProbe::configure(const ProbeContext& context) {
    const std::uint32_t slots = context.scope.slot_count(), cpus = context.scope.cpu_count();
    latency_ = context.config.io.latency;
    copies_ = std::min<std::uint32_t>(std::bit_ceil(cpus), IO_MAX_COPIES);
    skeleton_->rodata->subsystem_index = context.scope.subsystem_index();
    skeleton_->rodata->kernel_can_cast = context.types.has_function("bpf_rdonly_cast");
    skeleton_->rodata->io_latency = latency_;
    skeleton_->rodata->io_account_mask = copies_ - 1;
    // A program that is attached to a function can be interrupted by another thread of its CPU in another
    // one.
    skeleton_->rodata->io_copies_shared = cpus > copies_ || method_ == IoMethod::fentry;
    bpf_map__set_max_entries(skeleton_->maps.io_accounts, slots * copies_);
    bpf_map__set_max_entries(skeleton_->maps.io_times, latency_ ? slots * copies_ : 1);
    bpf_map__set_max_entries(skeleton_->maps.io_request_accounts, slots);
}

/// The first way that works, or why none does.
Result<void> IoProbe::start(const ProbeContext& context) {
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
    auto skeleton = open_skeleton<io_bpf>(context.scope.maps());
    if (!skeleton) {
        return std::unexpected(skeleton.error());
    }
    skeleton_ = std::move(*skeleton);
    configure(context);
    choose_io_programs(*skeleton_, method, latency_, context.types);
    if (auto loaded = load_skeleton(*skeleton_); !loaded) {
        return method == IoMethod::fentry ? fail(
                                                "refused by the kernel, which may allow no programs at its "
                                                "functions; `syscalls` works "
                                                "on every kernel")
                                          : loaded;
    }
    if (auto mapped = map_accounts(context.scope.slot_count()); !mapped) {
        return mapped;
    }
    auto attached = attach();  // whether it works is known now, not when the first container comes
    if (!attached || method != IoMethod::fentry) {
        links_.reset();
    }
    return attached;
}

Result<void> IoProbe::map_accounts(std::uint32_t slots) {
    auto counts =
        MappedArray<io_account>::map(bpf_map__fd(skeleton_->maps.io_accounts), std::size_t{slots} * copies_);
    if (!counts) {
        return std::unexpected(counts.error());
    }
    counts_ = std::move(*counts);
    auto requests = requests_.open(bpf_map__fd(skeleton_->maps.io_request_accounts),
                                   bpf_map__fd(skeleton_->maps.io_requests), slots);
    if (!requests || !latency_) {
        return requests;
    }
    auto times =
        MappedArray<io_times>::map(bpf_map__fd(skeleton_->maps.io_times), std::size_t{slots} * copies_);
    if (!times) {
        return std::unexpected(times.error());
    }
    times_ = std::move(*times);
    return {};
}

/// Programs at functions stay: dozens of them take their time, and only calls that read and write pay for
/// them.
Result<void> IoProbe::watching(bool any) {
    if (method_ == IoMethod::fentry) {
        return {};
    }
    links_.reset();
    return any ? attach() : Result<void>();
}

Result<void> IoProbe::attach() {
    skeleton_->bss->io_attached_ns = boot_time_ns();
    return links_.emplace().attach(skeleton_->obj);
}

IoSums IoProbe::read_slot(std::uint32_t slot) const {
    const std::size_t first = std::size_t{slot} * copies_;
    IoSums sums{};
    sums.counts = add_copies(counts_.elements().subspan(first, copies_));
    if (latency_) {
        sums.times = add_copies(times_.elements().subspan(first, copies_));
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
}

}  // namespace

std::unique_ptr<Probe> make_io_probe() {
    return std::make_unique<IoProbe>();
}

}  // namespace plimsoll
