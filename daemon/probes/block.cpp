// SPDX-License-Identifier: Apache-2.0
// What reached the block devices, by disk and direction: bytes, requests, how long they waited and how long
// the device took. docs/block-devices.md says whose a request is.
#include "probes/kernel_probe.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <numeric>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "block.skel.h"
#include "kernel/keyed_map.h"
#include "kernel/mapped_array.h"
#include "probes/block_labels.h"
#include "probes/shared_families.h"
#include "shared/block.h"

namespace plimsoll {

namespace {

struct Family {
    enum : std::uint8_t { bytes, operations, errors, merges, in_flight, queue, device, count };
};

constexpr std::string_view kComplete = "tp_btf/block_rq_complete";
constexpr std::string_view kLabels = "device (/dev/…), direction (read, write, discard, flush)";

constexpr std::array<MetricSpec, Family::count> kMetrics{{
    {"container_block_bytes_total", MetricType::counter, "bytes",
     "device (/dev/…), direction (read, write, discard)",
     "Bytes of the container's requests that the disk has completed without error.", kComplete},
    {"container_block_operations_total", MetricType::counter, "", kLabels,
     "Requests of the container that the disk has completed.", kComplete},
    {"container_block_errors_total", MetricType::counter, "", kLabels,
     "Requests of the container, or parts of them, that failed on the disk.", kComplete},
    {"container_block_merges_total", MetricType::counter, "", kLabels,
     "Reads and writes of the container that became part of a request that was waiting already.",
     "tp_btf/block_bio_backmerge, tp_btf/block_bio_frontmerge, tp_btf/block_rq_merge"},
    {"container_block_in_flight", MetricType::gauge, "", "device (/dev/…)",
     "Requests of the container that have been made for the disk and are not completed.",
     "tp_btf/block_io_start, or block_rq_insert and block_rq_issue before Linux 6.5; "
     "tp_btf/block_rq_complete"},
    {"container_block_queue_seconds", MetricType::histogram, "seconds",
     "device (/dev/…), direction (read, write, discard)",
     "How long requests waited in a queue before the disk got them; 0 for those that never were in one.",
     "tp_btf/block_rq_insert, tp_btf/block_rq_issue"},
    {"container_block_device_seconds", MetricType::histogram, "seconds", kLabels,
     "How long the disk took for a request; for a flush, how long it was waited for.",
     "tp_btf/block_rq_issue, tp_btf/block_rq_complete"},
}};

template <std::size_t N>
__u64 total(const __u64 (&buckets)[N]) {
    return std::accumulate(std::begin(buckets), std::end(buckets), __u64{0});
}

__u64 operations(const block_account& account) {
    return total(account.device_buckets);
}

class BlockProbe : public KernelProbe<block_bpf> {
  public:
    BlockProbe() : KernelProbe("block", kMetrics) {}

    Result<void> start(const ProbeContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void supply(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override {
        sums_.forget(container);
        supplied_.erase(container);
    }

  private:
    using Accounts = KeyedSums<block_series, block_account>::Accounts;
    struct Row {
        std::uint32_t container;
        Handle handle;
        bool ended;
        Accounts accounts;
        std::map<std::string_view, std::uint64_t> in_flight;  // by disk
    };

    /// Kernels since 6.5 tell when a request is made.
    static bool tells_birth(const KernelTypes& types) { return types.has_tracepoint("block_io_start"); }
    void choose_programs(const block_bpf& skeleton, const KernelTypes& types) const override {
        bpf_program__set_autoload(skeleton.progs.on_request_made, tells_birth(types));
    }
    void configure(const ProbeContext& context) override;
    Result<void> map_arrays() override;

    /// Of series that are in rows_.
    const BlockLabels::Fragments& labels(const block_series& series) { return *labels_.find(series); }
    void count_in_flight(const std::unordered_map<std::uint32_t, std::size_t>& row_of_slot);
    /// Starts a family and calls back for each container's accounts: (container, label, account).
    template <typename Callback>
    void each_series(SampleWriter& writer, std::size_t family, bool with_flush, Callback callback);
    void write_in_flight(SampleWriter& writer) const;
    void supply(SampleWriter& writer, const MetricSpec& spec,
                std::initializer_list<plimsoll_block_direction> directions,
                __u64 (*value_of)(const block_account&));

    MappedArray<block_set> sets_;
    MappedArray<block_request> requests_;
    KeyedMap<block_series, block_account> map_;
    KeyedSums<block_series, block_account> sums_{map_};
    BlockLabels labels_;
    std::vector<Row> rows_;
    std::unordered_set<Handle> supplied_;  // whose container_fs_… are ours
};

/// Whether a block cgroup's id means the same as a container's.
bool identifies_containers(const CgroupLayout& layout) {
    const CgroupHierarchy* v1 = layout.with_controller("blkio");
    return v1 == nullptr ? layout.v2 : v1->mount == layout.mount;
}

Result<void> BlockProbe::start(const ProbeContext& context) {
    if (context.types.tracepoint_argument_is_pointer("block_rq_issue", 1)) {
        return fail("the kernel's block tracepoints are those of before Linux 5.11");
    }
    return KernelProbe::start(context);
}

void BlockProbe::configure(const ProbeContext& context) {
    const auto controller = context.types.cgroup_subsystem_index("blkio");
    skeleton().rodata->tells_birth = tells_birth(context.types);
    skeleton().rodata->by_blkcg = controller && identifies_containers(context.layout);
    skeleton().rodata->blkcg_index = controller.value_or(0);
    bpf_map__set_max_entries(skeleton().maps.tenures, context.scope.slot_count());
}

Result<void> BlockProbe::map_arrays() {
    const auto& maps = skeleton().maps;
    map_ = {bpf_map__fd(maps.block_accounts), bpf_map__fd(maps.tenures)};
    labels_ = BlockLabels(bpf_map__fd(maps.block_disks));
    return in_order([&] { return map_into(sets_, maps.block_sets); },
                    [&] { return map_into(requests_, maps.block_requests); });
}

void BlockProbe::sample(const SampleContext& context, SampleWriter& writer) {
    sums_.update();
    rows_.clear();
    std::unordered_map<std::uint32_t, std::size_t> row_of_slot;
    for (const auto& container : context.containers) {
        for (const auto slot : container.slots) {
            row_of_slot.emplace(slot, rows_.size());
        }
        auto accounts = sums_.sum(container.handle, container.slots);
        std::erase_if(accounts, [&](const auto& entry) { return labels_.find(entry.first) == nullptr; });
        rows_.push_back({container.index, container.handle, container.ended, std::move(accounts), {}});
    }
    count_in_flight(row_of_slot);
    const auto count = [&](std::size_t family, bool with_flush, auto value_of) {
        each_series(writer, family, with_flush, [&](auto container, auto label, const auto& account) {
            writer.add(container, label, Number::count(value_of(account)));
        });
    };
    count(Family::bytes, false, [](const block_account& account) { return account.bytes; });
    count(Family::operations, true, operations);
    count(Family::errors, true, [](const block_account& account) { return account.errors; });
    count(Family::merges, false, [](const block_account& account) { return account.merges; });
    write_in_flight(writer);
    each_series(writer, Family::queue, false, [&](auto container, auto label, block_account account) {
        account.queue_buckets[0] += operations(account) - total(account.queue_buckets);
        writer.histogram(container, label, account.queue_buckets, account.queue_sum_ns);
    });
    each_series(writer, Family::device, true, [&](auto container, auto label, const auto& account) {
        writer.histogram(container, label, account.device_buckets, account.device_sum_ns);
    });
}

template <typename Callback>
void BlockProbe::each_series(SampleWriter& writer, std::size_t family, bool with_flush, Callback callback) {
    writer.family(kMetrics[family], rows_.size());
    for (const auto& row : rows_) {
        for (const auto& [series, account] : row.accounts) {
            if (with_flush || series.direction != BLOCK_FLUSH) {
                callback(row.container, std::string_view(labels(series).series), account);
            }
        }
    }
}

/// The kernel takes and leaves places meanwhile; a request that does so is counted or not.
void BlockProbe::count_in_flight(const std::unordered_map<std::uint32_t, std::size_t>& row_of_slot) {
    for (auto& row : rows_) {
        for (const auto& [series, account] : row.accounts) {
            row.in_flight.emplace(labels(series).disk, 0);
        }
    }
    const auto sets = sets_.elements();
    for (std::uint32_t place = 0; place < BLOCK_REQUESTS; place++) {
        if (sets[place / BLOCK_WAYS].requests[place % BLOCK_WAYS] == 0) {
            continue;
        }
        const block_key key = requests_[place].key;
        const auto row = row_of_slot.find(key.owner.slot);
        if (row != row_of_slot.end() && sums_.is_current(key.owner) &&
            key.series.direction < BLOCK_DIRECTIONS) {
            if (const auto* known = labels_.find(key.series)) {
                rows_[row->second].in_flight[known->disk]++;
            }
        }
    }
    requests_.release_unread();
}

void BlockProbe::write_in_flight(SampleWriter& writer) const {
    writer.family(kMetrics[Family::in_flight], rows_.size());
    for (const auto& row : rows_) {
        for (const auto& [label, requests] : row.in_flight) {
            if (!row.ended) {
                writer.add(row.container, label, Number::count(requests));
            }
        }
    }
}

/// The files count what was submitted, before some of it was merged; a flush is a write to them. Whoever told
/// first of a container goes on with it.
void BlockProbe::supply(const SampleContext&, SampleWriter& writer) {
    const auto bytes = [](const block_account& account) { return account.bytes; };
    const auto submitted = [](const block_account& account) { return operations(account) + account.merges; };
    supply(writer, kFsReadsBytes, {BLOCK_READ}, bytes);
    supply(writer, kFsWritesBytes, {BLOCK_WRITE}, bytes);
    supply(writer, kFsReads, {BLOCK_READ}, submitted);
    supply(writer, kFsWrites, {BLOCK_WRITE, BLOCK_FLUSH}, submitted);
}

void BlockProbe::supply(SampleWriter& writer, const MetricSpec& spec,
                        std::initializer_list<plimsoll_block_direction> directions,
                        __u64 (*value_of)(const block_account&)) {
    if (!writer.has(spec)) {
        return;
    }
    auto family = writer.supplement(spec);
    for (const auto& row : rows_) {
        if (!family.lacks(row.container) && supplied_.contains(row.handle)) {
            family.replace(row.container);
        }
        if (!family.lacks(row.container)) {
            continue;
        }
        std::map<std::string_view, std::uint64_t> disks;
        for (const auto& [series, account] : row.accounts) {
            disks[labels(series).disk] +=
                std::ranges::count(directions, series.direction) != 0 ? value_of(account) : 0;
        }
        for (const auto& [disk, value] : disks) {
            family.add(row.container, disk, Number::count(value));
            supplied_.insert(row.handle);
        }
    }
}

}  // namespace

std::unique_ptr<Probe> make_block_probe() {
    return std::make_unique<BlockProbe>();
}

}  // namespace plimsoll
