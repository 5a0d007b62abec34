// SPDX-License-Identifier: Apache-2.0
#include "kernel/scope.h"

#include <sys/resource.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "core/ledger.h"
#include "loop/unique_fd.h"
#include "scope.skel.h"
#include "shared/peer.h"

namespace plimsoll {

Scope::Scope() = default;
Scope::~Scope() = default;

namespace {

/// Programs and maps are descriptors. With fewer, libbpf fails in the middle and says something else.
Result<void> enough_descriptors() {
    constexpr rlim_t kFewest = 192;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kFewest) {
        return fail_errno("the limit of open files (LimitNOFILE, ulimit -n) is " +
                              std::to_string(limit.rlim_cur) + ", at least " + std::to_string(kFewest) +
                              " are needed",
                          EMFILE);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Scope>> Scope::load(const ScopeOptions& options, const KernelTypes& types) {
    if (auto enough = enough_descriptors(); !enough) {
        return std::unexpected(enough.error());
    }
    auto skeleton = open_skeleton<scope_bpf>({});
    if (!skeleton) {
        return std::unexpected(skeleton.error().in("scope"));
    }
    std::unique_ptr<Scope> scope(new Scope());
    scope->skeleton_ = std::move(*skeleton);
    const auto done =
        in_order([&] { return scope->configure(options, types); }, [&] { return scope->load_maps(); });
    if (!done) {
        return std::unexpected(done.error().in("scope"));
    }
    return scope;
}

Result<void> Scope::configure(const ScopeOptions& options, const KernelTypes& types) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) {
        return fail_errno("count CPUs", cpus);
    }
    if (!options.cgroup_v2) {
        const auto index = types.cgroup_subsystem_index(options.controller);
        if (!index) {
            return fail("the kernel has no cgroup controller named " + options.controller);
        }
        subsystem_index_ = *index;
    }
    cpu_count_ = static_cast<std::uint32_t>(cpus);
    slots_ = options.slots;
    use_ringbuf_ = options.channel != EventChannelKind::perf;
    books_peers_ = options.peers;
    skeleton_->data_scope->scope_control.accounts_per_slot = cpu_count_ + 1;
    skeleton_->data_scope->scope_control.slots = slots_;
    skeleton_->rodata->books_peers = books_peers_;
    skeleton_->rodata->subsystem_index = subsystem_index_;
    skeleton_->rodata->hierarchy_id = static_cast<int>(options.hierarchy_id);
    skeleton_->rodata->events_use_ringbuf = use_ringbuf_;
    adapt_reading(*skeleton_, types.can_cast());
    bpf_map__set_max_entries(skeleton_->maps.accounts, slots_ * (cpu_count_ + 1));
    bpf_map__set_max_entries(skeleton_->maps.free_slots, options.provisional);
    bpf_map__set_max_entries(skeleton_->maps.slot_owners, slots_);
    bpf_map__set_max_entries(skeleton_->maps.tenures, slots_);
    if (options.peers) {
        bpf_map__set_max_entries(skeleton_->maps.peers, PEERS_MAX);
        bpf_map__set_max_entries(skeleton_->maps.free_peers, PEERS_MAX);
        bpf_map__set_max_entries(skeleton_->maps.peer_accounts, 2 * slots_ + PEERS_MAX);
        bpf_map__set_max_entries(skeleton_->maps.peer_names, PEERS_MAX);
    }
    return {};
}

Result<void> Scope::attach() {
    const auto done =
        in_order([this] { return compare_clocks(); }, [this] { return links_.attach(skeleton_->obj); });
    return done ? done : std::unexpected(done.error().in("scope"));
}

/// Marks this thread as the one whose switches compare the clocks, and lets some happen. Without the ledger's
/// hooks nothing is compared, and nothing is booked either.
Result<void> Scope::compare_clocks() const {
    const UniqueFd self(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    task_state thread{};
    thread.compares = 1;
    const int key = self.get();
    if (!self || bpf_map_update_elem(maps_.at("tasks"), &key, &thread, BPF_ANY) != 0) {
        return fail_errno("compare clocks", errno);
    }
    for (int i = 0; i < 20; i++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
}

void Scope::begin_booking() {
    std::atomic_ref<std::uint32_t>(skeleton_->data_scope->scope_control.booking).store(1);
}

bool Scope::is_booking() const {
    return skeleton_->data_scope->scope_control.booking != 0;
}

std::uint64_t Scope::ledger_time(std::uint64_t boot_ns) const {
    const std::atomic_ref<__s64> offset(skeleton_->data_scope->scope_control.clock_offset_ns);
    return boot_ns + static_cast<std::uint64_t>(offset.load());
}

void Scope::begin_sample(std::uint64_t ledger_ns) {
    std::atomic_ref(skeleton_->data_scope->scope_control.published_ns).store(ledger_ns);
}

std::uint64_t Scope::sample_time() const {
    return skeleton_->data_scope->scope_control.published_ns;
}

Result<void> Scope::load_maps() {
    if (auto loaded = load_skeleton(*skeleton_); !loaded) {
        return loaded;
    }
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, skeleton_->obj) {
        const std::string name = bpf_map__name(map);
        if (name.find("rodata") == std::string::npos) {
            maps_.emplace(name, bpf_map__fd(map));
        }
    }
    return in_order([this] { return map_into(accounts_, skeleton_->maps.accounts); },
                    [this] { return map_into(slot_owners_, skeleton_->maps.slot_owners); });
}

bpf_object* Scope::object() const {
    return skeleton_->obj;
}

void Scope::assign(std::uint64_t cgroup_id, std::uint32_t slot) {
    write(cgroup_id, slot);
}

void Scope::release(std::uint64_t cgroup_id) {
    write(cgroup_id, SLOT_NONE);
}

/// What the kernel refuses (its memory is short, the map is full) is kept for write_again().
void Scope::write(std::uint64_t cgroup_id, std::uint32_t slot) {
    const cgroup_scope entry{slot, SCOPE_CONFIRMED};
    const int map = maps_.at("cgroup_scopes");
    const int error = slot != SLOT_NONE ? bpf_map_update_elem(map, &cgroup_id, &entry, BPF_ANY)
                                        : bpf_map_delete_elem(map, &cgroup_id);
    if (error == 0 || error == -ENOENT) {
        refused_.erase(cgroup_id);
    } else {
        refused_[cgroup_id] = slot;
        refusals_++;
    }
}

bool Scope::write_again() {
    bool assigned = false;
    while (!refused_.empty()) {
        const auto [cgroup_id, slot] = *refused_.begin();
        write(cgroup_id, slot);
        if (refused_.contains(cgroup_id)) {
            break;  // the others will not fare better
        }
        assigned = assigned || slot != SLOT_NONE;
    }
    return assigned;
}

std::optional<SlotEntry> Scope::find(std::uint64_t cgroup_id) {
    cgroup_scope entry{};
    if (bpf_map_lookup_elem(maps_.at("cgroup_scopes"), &cgroup_id, &entry) != 0) {
        return std::nullopt;
    }
    return SlotEntry{entry.slot, (entry.flags & SCOPE_CONFIRMED) != 0};
}

bool Scope::offer_free(std::uint32_t slot) {
    const std::uint64_t nobody = 0;
    bpf_map_update_elem(maps_.at("slot_owners"), &slot, &nobody, BPF_ANY);
    return bpf_map_update_elem(maps_.at("free_slots"), nullptr, &slot, BPF_ANY) == 0;
}

std::vector<std::pair<std::uint32_t, std::uint64_t>> Scope::taken() {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> result;
    const auto owners = slot_owners_.elements();
    for (std::uint32_t slot = SLOT_FIRST; slot < slots_; slot++) {
        if (const std::uint64_t owner = owners[slot]; owner != 0) {
            result.emplace_back(slot, owner);
        }
    }
    return result;
}

std::vector<std::uint64_t> Scope::cgroup_ids() {
    std::vector<std::uint64_t> ids;
    std::uint64_t key = 0;
    const void* previous = nullptr;
    while (bpf_map_get_next_key(maps_.at("cgroup_scopes"), previous, &key) == 0 && ids.size() < 1'000'000) {
        ids.push_back(key);
        previous = &ids.back();
        if (ids.size() == ids.capacity()) {
            ids.reserve(ids.size() * 2);
            previous = &ids.back();
        }
    }
    return ids;
}

std::uint64_t Scope::threads_in(std::uint32_t slot) const {
    std::uint64_t threads = 0;
    for (const auto& live : slot_accounts(slot)) {
        const ledger_account copy = read_account(live);
        if (!is_whole(copy)) {
            return 1;  // somebody is writing, so somebody is in it
        }
        threads += copy.cells[CELL_LIFETIME].n;
    }
    return threads;
}

void Scope::invalidate() {
    // Programs increment it too; a hook that misses this increment sees the next word it compares with
    // anyway.
    std::atomic_ref<std::uint32_t>(skeleton_->data_scope->scope_control.generation).fetch_add(1);
}

Result<void> Scope::visit_tasks() const {
    return run_iterator(links_.find("on_each_task"), "task iterator");
}

Result<std::unique_ptr<EventChannel>> Scope::open_events(EventChannel::Receiver receiver) const {
    return use_ringbuf_ ? EventChannel::open_ring(maps_.at("events_ring"), std::move(receiver))
                        : EventChannel::open_perf(maps_.at("events_perf"), std::move(receiver));
}

namespace {

std::uint64_t sum_over_cpus(int map_fd, std::uint32_t key, std::uint32_t cpus) {
    std::vector<std::uint64_t> values(cpus);
    std::uint64_t sum = 0;
    if (bpf_map_lookup_elem(map_fd, &key, values.data()) == 0) {
        for (const auto value : values) {
            sum += value;
        }
    }
    return sum;
}

}  // namespace

std::uint64_t Scope::events_lost() const {
    return sum_over_cpus(maps_.at("events_lost"), 0, cpu_count_);
}

std::vector<std::uint64_t> Scope::failures() const {
    std::vector<std::uint64_t> result;
    for (std::uint32_t place = 0; place < FAILURE_COUNT; place++) {
        result.push_back(sum_over_cpus(maps_.at("failures"), place, cpu_count_));
    }
    result[FAILURE_cgroup_map_full] += refusals_;
    return result;
}

}  // namespace plimsoll
