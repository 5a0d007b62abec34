// SPDX-License-Identifier: Apache-2.0
// Which containers there are, which slots they own, and what becomes of slots. A pure state machine over
// SlotMap; owned by the daemon, used by the loop thread only.
//
// A slot is free (spare, or offered to the kernel for newborn cgroups), owned by a live container, or
// draining: taken away from its cgroups, but some thread may still be booked on it. While it drains it counts
// for its heir; when the last thread has left, the probes fold its values into the heir's and it is free
// again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "containers/container.h"
#include "containers/slot_map.h"
#include "core/slot_sums.h"

namespace plimsoll {

/// A container's identity as the exposition wants it.
struct RenderedLabels {
    std::shared_ptr<const std::string> labels;  ///< of every series
    std::string info;                           ///< what container_info adds
};

struct Watched {
    Handle handle = 0;
    Container container;
    std::uint64_t cgroup_id = 0;
    std::uint32_t slot = 0;  ///< where new threads are booked; SLOT_OVERFLOW when there was none left
    std::vector<std::uint32_t> slots;  ///< all that count for it now: its own and those that drain towards it
    std::optional<std::uint64_t> ended_ns;
    std::uint64_t since_ns = 0;         ///< when it was born
    bool found_late = false;            ///< no birth event told of it: it was there before
    std::uint64_t started_unix_ns = 0;  ///< the same by the wall clock of when it was found
    RenderedLabels rendered;
};

/// A cgroup that was found by walking or announced by the kernel.
struct FoundCgroup {
    std::uint64_t id = 0;
    std::uint64_t parent_id = 0;
    std::string path;
    std::uint32_t slot_hint = 0;  ///< the slot the kernel gave it at birth; 0 when unknown
    std::uint64_t born_ns = 0;    ///< CLOCK_BOOTTIME; 0 when unknown
};

class Registry {
  public:
    struct Limits {
        std::uint32_t max_containers;
        std::uint32_t provisional;
        std::uint64_t linger_ns;
    };
    /// The two reserved slots, one for each container, and the pool for newborn cgroups.
    static std::uint32_t slots_needed(const Limits& limits);

    struct Callbacks {
        std::function<std::optional<Container>(const FoundCgroup&)> select;
        std::function<RenderedLabels(const Container&)> render;
        /// CLOCK_BOOTTIME of the birth of one that no event announced, if that can be found out.
        std::function<std::optional<std::uint64_t>(const std::string& cgroup)> born;
        std::function<void(std::uint32_t slot, Handle heir)> fold;  ///< a slot has drained
        std::function<void(Handle)> forget;                         ///< a container is gone from the page
    };

    Registry(SlotMap& slots, Limits limits, Callbacks callbacks);

    /// Returns true if the cgroup is (part of) a container that was not known before.
    bool birth(const FoundCgroup& found, std::uint64_t now_ns);
    /// Gives a container of the overflow slot one of its own if there is one by now, and what is nested in a
    /// container that got one the same. Its series begin then; what it did before stays with the overflow.
    void promote(const FoundCgroup& found, std::uint64_t now_ns);
    /// Selects again, for a reason that is new; true if the cgroup has become a container. What is one stays
    /// one. `slot_hint` is the slot that the kernel gave the cgroup meanwhile: what was booked there counts
    /// for the container that it is in now.
    bool reconsider(const FoundCgroup& found, std::uint64_t now_ns);
    /// The rules of selection may be others now: begins, relabels or ends a container, or gives the cgroup to
    /// the container that it is in now. To be called for all cgroups, parents first. Whoever stays a
    /// container keeps its counters.
    void reselect(const FoundCgroup& found, std::uint64_t now_ns);
    void set_linger(std::uint64_t linger_ns) { limits_.linger_ns = linger_ns; }
    /// Returns true if it was known.
    bool death(std::uint64_t cgroup_id, std::uint32_t slot_hint, std::uint64_t now_ns);
    /// Frees what has drained, ends what has lingered, refills the kernel's stack. Call it often.
    void tick(std::uint64_t now_ns);
    /// Threads asleep are still booked on a slot that drains: the task iterator should move them.
    [[nodiscard]] bool needs_visit() const { return needs_visit_; }
    void visited() { needs_visit_ = false; }

    /// All that the page shows, in order of appearance; the overflow container last, if it was ever used.
    [[nodiscard]] std::vector<const Watched*> shown() const;
    /// The kernel has it, on its stack or taken from there by a newborn cgroup that we have not heard of yet.
    [[nodiscard]] bool is_offered(std::uint32_t slot) const {
        return slot < states_.size() && states_[slot] == SlotState::offered;
    }
    [[nodiscard]] bool knows(std::uint64_t cgroup_id) const { return nodes_.contains(cgroup_id); }
    [[nodiscard]] std::optional<std::uint64_t> born_ns(std::uint64_t cgroup_id) const;
    [[nodiscard]] std::vector<std::uint64_t> known_cgroups() const;
    /// Calls `change` for each live container and renders its labels again where it returns true.
    void refresh(const std::function<bool(const Watched&, Container&)>& change);

    /// Grows with everything that changes what shown() returns or points to.
    [[nodiscard]] std::uint64_t revision() const { return revision_; }
    /// Some container is alive.
    [[nodiscard]] bool is_watching() const { return live_ != 0 || !overflow_cgroups_.empty(); }
    [[nodiscard]] std::map<Runtime, std::uint64_t> live_by_runtime() const;
    [[nodiscard]] std::uint64_t added() const { return added_; }
    [[nodiscard]] std::uint64_t removed() const { return removed_; }
    /// Live containers that share the overflow slot.
    [[nodiscard]] std::uint64_t overflowing() const { return overflow_cgroups_.size(); }
    [[nodiscard]] std::size_t draining() const { return draining_.size(); }
    [[nodiscard]] std::size_t free_slots() const;

  private:
    enum class SlotState : std::uint8_t { reserved, spare, offered, owned, draining };
    struct Node {
        Handle owner;
        std::uint64_t born_ns;
    };
    struct Draining {
        std::uint32_t slot;
        Handle heir;
        std::uint64_t since_ns;
    };

    void start(const FoundCgroup& found, Container container, std::uint32_t provisional,
               std::uint64_t now_ns);
    void end(Handle handle, std::uint64_t now_ns);
    void relabel(Handle handle, Container container);
    void discard(std::uint64_t cgroup_id, std::uint64_t now_ns);
    [[nodiscard]] Handle owner_of(std::uint64_t cgroup_id) const;
    void remove(Handle handle);
    void retire(std::uint32_t slot, Handle heir, std::uint64_t now_ns);
    void bequeath(std::uint32_t slot, Handle heir);
    void rebook_threads();
    void recycle(const Draining& drained);
    [[nodiscard]] std::uint32_t provisional_slot(const FoundCgroup& found,
                                                 const std::optional<SlotEntry>& entry) const;
    std::uint32_t take_reserve();
    [[nodiscard]] bool has_room() const { return live_ < limits_.max_containers && !reserve_.empty(); }
    [[nodiscard]] bool is_overflowing(std::uint64_t cgroup_id) const;
    [[nodiscard]] bool is_container(std::uint64_t cgroup_id) const;
    [[nodiscard]] Watched* find_shown(Handle handle);
    void replace_namesake(const std::string& cgroup, std::uint64_t now_ns);
    void expire(std::uint64_t now_ns);
    void refill();

    SlotMap& map_;
    Limits limits_;
    Callbacks callbacks_;
    std::vector<SlotState> states_;
    std::vector<std::uint32_t> reserve_;
    std::vector<Draining> draining_;
    std::unordered_map<std::uint64_t, Node> nodes_;  ///< cgroups that belong to containers
    std::map<Handle, Watched> watched_;
    Watched overflow_;
    Handle next_handle_ = 1;
    std::unordered_set<std::uint64_t> overflow_cgroups_;  ///< of live containers without a slot
    std::uint64_t live_ = 0, added_ = 0, removed_ = 0, revision_ = 0;
    std::uint64_t refilled_revision_ = 0, refilled_ns_ = 0;
    bool overflow_used_ = false;
    bool needs_visit_ = false;
};

}  // namespace plimsoll
