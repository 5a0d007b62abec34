// SPDX-License-Identifier: Apache-2.0
// What reached the block devices, by disk and direction: bytes, requests, how long they waited and how long
// the device took. docs/block-devices.md says whose a request is.
#include "probes/probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "block.skel.h"
#include "kernel/keyed_map.h"
#include "kernel/mapped_array.h"
#include "kernel/programs.h"
#include "probes/shared_families.h"
#include "shared/block.h"

inline bool operator<(const block_series& a, const block_series& b) {
    return std::pair(a.disk, a.direction) < std::pair(b.disk, b.direction);
}

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

constexpr std::array<std::string_view, BLOCK_DIRECTIONS> kDirections{"read", "write", "discard", "flush"};

struct BlockLabels {
    std::string disk, series;
};

/// The disk as udev names it: the kernel's names have ! where the device's path has a slash.
BlockLabels labels_of(const block_disk& named, __u32 direction) {
    std::string disk = "device=\"/dev/";
    for (const char c : std::string_view(named.name, strnlen(named.name, sizeof(named.name)))) {
        disk += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c == '!' ? '/' : c};
    }
    disk += '"';
    return {disk, disk + ",direction=\"" + std::string(kDirections.at(direction)) + "\""};
}

template <std::size_t N>
__u64 total(const __u64 (&buckets)[N]) {
    return std::accumulate(std::begin(buckets), std::end(buckets), __u64{0});
}

__u64 operations(const block_account& account) {
    return total(account.device_buckets);
}

class BlockProbe : public Probe {
  public:
    [[nodiscard]] std::string_view name() const override { return "block"; }
    [[nodiscard]] std::string_view method() const override { return "tp_btf"; }
    [[nodiscard]] std::span<const MetricSpec> metrics() const override { return kMetrics; }
    [[nodiscard]] std::vector<std::string> hooks(const KernelTypes& types) const override {
        auto skeleton = open_skeleton<block_bpf>({});
        if (!skeleton) {
            return {};
        }
        choose_programs(**skeleton, types);
        return program_sections((*skeleton)->obj);
    }

    Result<void> start(const ProbeContext& context) override;
    void sample(const SampleContext& context, SampleWriter& writer) override;
    void supply(const SampleContext& context, SampleWriter& writer) override;
    void fold(std::uint32_t slot, Handle heir) override { sums_.fold(slot, heir); }
    void forget(Handle container) override {
        sums_.forget(container);
        supplied_.erase(container);
    }
    [[nodiscard]] bpf_object* object() const override { return skeleton_->obj; }

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
    static void choose_programs(const block_bpf& skeleton, const KernelTypes& types) {
        bpf_program__set_autoload(skeleton.progs.on_request_made, tells_birth(types));
    }
    Result<void> map_arrays();

    const BlockLabels& labels(const block_series& series);
    void count_in_flight(const std::unordered_map<std::uint32_t, std::size_t>& row_of_slot);
    /// Starts a family and calls back for each container's accounts: (container, label, account).
    template <typename Callback>
    void each_series(SampleWriter& writer, std::size_t family, bool with_flush, Callback callback);
    void write_in_flight(SampleWriter& writer) const;
    void supply(SampleWriter& writer, const MetricSpec& spec,
                std::initializer_list<plimsoll_block_direction> directions,
                __u64 (*value_of)(const block_account&));

    Skeleton<block_bpf> skeleton_;
    Links links_;
    MappedArray<block_set> sets_;
    MappedArray<block_request> requests_;
    KeyedMap<block_series, block_account> map_;
    KeyedSums<block_series, block_account> sums_{map_};
    std::map<block_series, BlockLabels> labels_;  // snapshots refer to them, so they stay
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
    auto skeleton = open_skeleton<block_bpf>(context.scope.maps());
    if (!skeleton) {
        return std::unexpected(skeleton.error());
    }
    skeleton_ = std::move(*skeleton);
    choose_programs(*skeleton_, context.types);
    const auto controller = context.types.cgroup_subsystem_index("blkio");
    skeleton_->rodata->subsystem_index = context.scope.subsystem_index();
    skeleton_->rodata->tells_birth = tells_birth(context.types);
    skeleton_->rodata->by_blkcg = controller && identifies_containers(context.layout);
    skeleton_->rodata->blkcg_index = controller.value_or(0);
    bpf_map__set_max_entries(skeleton_->maps.tenures, context.scope.slot_count());
    return in_order([&] { return load_skeleton(*skeleton_); }, [&] { return map_arrays(); },
                    [&] { return links_.attach(skeleton_->obj); });
}

template <typename T>
Result<void> map_into(MappedArray<T>& target, const bpf_map* map) {
    auto mapped = MappedArray<T>::map(bpf_map__fd(map), bpf_map__max_entries(map));
    if (!mapped) {
        return std::unexpected(mapped.error());
    }
    target = std::move(*mapped);
    return {};
}

Result<void> BlockProbe::map_arrays() {
    map_ = {bpf_map__fd(skeleton_->maps.block_accounts), bpf_map__fd(skeleton_->maps.tenures)};
    return in_order([&] { return map_into(sets_, skeleton_->maps.block_sets); },
                    [&] { return map_into(requests_, skeleton_->maps.block_requests); });
}

const BlockLabels& BlockProbe::labels(const block_series& series) {
    const auto found = labels_.find(series);
    if (found != labels_.end()) {
        return found->second;
    }
    const auto disk = look_up<block_disk>(bpf_map__fd(skeleton_->maps.block_disks), series.disk);
    return labels_.emplace(series, labels_of(disk.value_or(block_disk{}), series.direction)).first->second;
}

void BlockProbe::sample(const SampleContext& context, SampleWriter& writer) {
    sums_.update();
    rows_.clear();
    std::unordered_map<std::uint32_t, std::size_t> row_of_slot;
    for (const auto& container : context.containers) {
        for (const auto slot : container.slots) {
            row_of_slot.emplace(slot, rows_.size());
        }
        rows_.push_back({container.index,
                         container.handle,
                         container.ended,
                         sums_.sum(container.handle, container.slots),
                         {}});
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
    for (std::size_t place = 0; place < BLOCK_REQUESTS; place++) {
        if (sets_.elements()[place / BLOCK_WAYS].requests[place % BLOCK_WAYS] == 0) {
            continue;
        }
        const block_key key = requests_.elements()[place].key;
        const auto row = row_of_slot.find(key.owner.slot);
        if (row != row_of_slot.end() && sums_.is_current(key.owner) &&
            key.series.direction < BLOCK_DIRECTIONS) {
            rows_[row->second].in_flight[labels(key.series).disk]++;
        }
    }
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
