// SPDX-License-Identifier: Apache-2.0
// The kernel's idea of which container a thread belongs to (bpf/scope.bpf.c): loads it, seeds it, and hands
// its maps to the probes. Owned by the daemon, used by the loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "config/config.h"
#include "containers/slot_map.h"
#include "core/error.h"
#include "kernel/event_channel.h"
#include "kernel/features.h"
#include "kernel/mapped_array.h"
#include "kernel/skeleton.h"
#include "shared/ledger.h"

struct scope_bpf;  // NOLINT(readability-identifier-naming): the name that bpftool gives

namespace plimsoll {

struct ScopeOptions {
    std::uint32_t slots = 0;  ///< all of them, the two reserved ones included
    std::uint32_t provisional =
        0;                   ///< how many newborn cgroups can have a slot before the daemon has seen them
    bool cgroup_v2 = true;   ///< which hierarchy identifies containers …
    std::string controller;  ///< … and for v1 by which controller
    std::uint32_t hierarchy_id = 0;  ///< its number in /proc/cgroups; 0 for v2
    EventChannelKind channel = EventChannelKind::automatic;
    bool peers = false;  ///< threads' waits and sockets' traffic are booked by peer
};

class Scope : public SlotMap {
  public:
    /// Loads everything and attaches nothing: the probes come first, so that the ledger's clock is known
    /// before the first thread is booked.
    static Result<std::unique_ptr<Scope>> load(const ScopeOptions& options, const KernelTypes& types);
    /// From then on newborn cgroups get provisional slots. Call it on the process's main thread: its switches
    /// are where the ledger's clock is compared with CLOCK_BOOTTIME.
    Result<void> attach();
    ~Scope() override;
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    // SlotMap
    void assign(std::uint64_t cgroup_id, std::uint32_t slot) override;
    void release(std::uint64_t cgroup_id) override;
    std::optional<SlotEntry> find(std::uint64_t cgroup_id) override;
    bool offer_free(std::uint32_t slot) override;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> taken() override;
    std::vector<std::uint64_t> cgroup_ids() override;
    [[nodiscard]] std::uint64_t threads_in(std::uint32_t slot) const override;
    void invalidate() override;

    /// Tries again what the kernel refused to assign() and release(). True: a cgroup has its slot only now,
    /// so threads have to look theirs up.
    bool write_again();

    /// Binds every task that lives to the slot of its cgroup and corrects what changed unseen: at the start
    /// twice, since the second visit settles what moved during the first, and after moves. 0.2 µs per thread.
    Result<void> visit_tasks() const;

    Result<std::unique_ptr<EventChannel>> open_events(EventChannel::Receiver receiver) const;
    [[nodiscard]] std::uint64_t events_lost() const;

    /// Failures by enum plimsoll_failure, over all CPUs and all programs.
    [[nodiscard]] std::vector<std::uint64_t> failures() const;

    [[nodiscard]] const SharedMaps& maps() const { return maps_; }
    [[nodiscard]] std::uint32_t cpu_count() const { return cpu_count_; }
    [[nodiscard]] std::uint32_t slot_count() const { return slots_; }
    [[nodiscard]] int subsystem_index() const { return subsystem_index_; }
    [[nodiscard]] bool books_peers() const { return books_peers_; }
    /// What several probes tell of one moment. `ledger_ns`: the ledger's time of the sample under way.
    void begin_sample(std::uint64_t ledger_ns);
    [[nodiscard]] std::uint64_t sample_time() const;
    [[nodiscard]] bool uses_ringbuf() const { return use_ringbuf_; }
    /// One for each CPU, and the one that process context shares.
    [[nodiscard]] std::span<const ledger_account> slot_accounts(std::uint32_t slot) const {
        const std::size_t count = cpu_count_ + std::size_t{1};
        return accounts_.elements(slot * count, count);
    }
    /// Accounts that nobody reads any more need not stay mapped.
    void end_sample() { accounts_.release_unread(); }
    /// The ledger's hooks are attached: threads may be booked from now on.
    void begin_booking();
    [[nodiscard]] bool is_booking() const;
    /// A CLOCK_BOOTTIME as the ledger's clock would have shown it.
    [[nodiscard]] std::uint64_t ledger_time(std::uint64_t boot_ns) const;
    [[nodiscard]] bpf_object* object() const;

  private:
    Scope();
    Result<void> configure(const ScopeOptions& options, const KernelTypes& types);
    Result<void> load_maps();
    Result<void> compare_clocks() const;
    void write(std::uint64_t cgroup_id, std::uint32_t slot);

    Skeleton<scope_bpf> skeleton_;
    Links links_;
    SharedMaps maps_;
    MappedArray<ledger_account> accounts_;
    MappedArray<std::uint64_t> slot_owners_;
    std::map<std::uint64_t, std::uint32_t>
        refused_;  ///< cgroups whose slot (SLOT_NONE: none) the kernel did not take
    std::uint64_t refusals_ = 0;
    std::uint32_t cpu_count_ = 0;
    std::uint32_t slots_ = 0;
    int subsystem_index_ = -1;
    bool use_ringbuf_ = true;
    bool books_peers_ = false;
};

}  // namespace plimsoll
